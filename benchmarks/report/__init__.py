"""Reports: scores, intervals and comparisons of results as data, tables, figures and pages.

Read in this order:

1. `summary.py`: numbers with their intervals.
2. `eval_sets.py`, `comparisons.py`, `scratch_section.py`: parts of the document.
3. `document.py`: the document, which becomes report.json. Everything below is made from it.
4. `sentences.py` and `tables.py`: answers in words, and tables.
5. `style.py` and `figures.py`: figures.
6. `markdown_csv.py` and `page.py`: report.md, report.csv and report.html.
"""
