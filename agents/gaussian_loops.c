/* The passes of gaussian.py, of rows of a few numbers each, where torch's operations spend their time on bookkeeping.

Arrays are float32 and contiguous: x and mean [rows, width], log_std [groups, width], where each group has as many rows
in turn. Rows are shared out to OpenMP's threads (torch's own where both use one library of it) in pieces whose sums are
added in order, so that nothing depends on how many threads there are. A few rows at a time are one array, whose numbers
the compiler takes by vectors however many a row has.
*/
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdlib.h>

#define MOST 64    /* numbers in a row */
#define PIECE 2048 /* rows */
#define FEW 8      /* rows */

typedef struct {
    long rows, width, groups;
    const float *x, *mean, *log_std;
} Given;

static long pieces(const Given *g) { return (g->rows / g->groups + PIECE - 1) / PIECE; } /* of a group */

/* Rows [first, end) of a group, and 1 / std there, repeated for a few rows. */
typedef struct {
    long group, first, end;
    float w[FEW * MOST];
} Piece;

static Piece piece_of(const Given *g, long piece) {
    const long each = g->rows / g->groups, group = piece / pieces(g), row = piece % pieces(g) * PIECE;
    Piece p = {group, group * each + row, group * each + (row + PIECE < each ? row + PIECE : each), {0}};
    for (long i = 0; i < FEW * g->width; i++) p.w[i] = expf(-g->log_std[group * g->width + i % g->width]);
    return p;
}

static long rows_from(const Piece *p, long row) { return p->end - row < FEW ? p->end - row : FEW; }

/* Each of a few rows' number, as often as a row has numbers. */
static inline void spread(const float *u, long rows, long width, float *out) {
    for (long row = 0; row < rows; row++)
        for (long i = 0; i < width; i++) *out++ = u[row];
}

static inline void add_rows(const float *x, long rows, long width, float *out) {
    for (long row = 0; row < rows; row++) {
        float sum = 0;
        for (long i = 0; i < width; i++) sum += *x++;
        out[row] = sum;
    }
}

/* out [rows]: half the sum of z^2, z = (x - mean) / std. */
static void squares(const Given *g, long piece, float *out) {
    const Piece p = piece_of(g, piece);
    float square[FEW * MOST];
    for (long row = p.first; row < p.end; row += FEW) {
        const long rows = rows_from(&p, row), count = rows * g->width;
        const float *x = g->x + row * g->width, *mean = g->mean + row * g->width;
        for (long e = 0; e < count; e++) {
            const float z = (x[e] - mean[e]) * p.w[e];
            square[e] = 0.5f * z * z;
        }
        add_rows(square, rows, g->width, out + row);
    }
}

/* The derivative of u^T (squares): to_mean [rows, width], and of each piece to_std [pieces, width]. */
static void pull(const Given *g, long piece, const float *u, float *to_mean, double *to_std) {
    const Piece p = piece_of(g, piece);
    float pulled[FEW * MOST], sums[FEW * MOST] = {0};
    for (long row = p.first; row < p.end; row += FEW) {
        const long rows = rows_from(&p, row), count = rows * g->width;
        const float *x = g->x + row * g->width, *mean = g->mean + row * g->width;
        float *to = to_mean + row * g->width;
        spread(u + row, rows, g->width, pulled);
        for (long e = 0; e < count; e++) {
            const float z = (x[e] - mean[e]) * p.w[e];
            to[e] = -pulled[e] * z * p.w[e];
            sums[e] -= pulled[e] * z * z;
        }
    }
    for (long e = 0; e < FEW * g->width; e++) to_std[piece * g->width + e % g->width] += sums[e];
}

/* The derivative of `pull` along v_mean [rows, width] and v_std [groups, width], by u [rows] and as `pull`. */
static void bend(const Given *g, long piece, const float *u, const float *v_mean, const float *v_std, float *to_u,
                 float *to_mean, double *to_std) {
    const Piece p = piece_of(g, piece);
    float pulled[FEW * MOST], along[FEW * MOST], bent[FEW * MOST], sums[FEW * MOST] = {0};
    for (long e = 0; e < FEW * g->width; e++) along[e] = v_std[p.group * g->width + e % g->width];
    for (long row = p.first; row < p.end; row += FEW) {
        const long rows = rows_from(&p, row), count = rows * g->width;
        const float *x = g->x + row * g->width, *mean = g->mean + row * g->width, *v = v_mean + row * g->width;
        float *to = to_mean + row * g->width;
        spread(u + row, rows, g->width, pulled);
        for (long e = 0; e < count; e++) {
            const float z = (x[e] - mean[e]) * p.w[e], q = p.w[e] * v[e], zs = z * along[e];
            bent[e] = -z * (q + zs);
            to[e] = pulled[e] * p.w[e] * (q + 2 * zs);
            sums[e] -= 2 * pulled[e] * bent[e];
        }
        add_rows(bent, rows, g->width, to_u + row);
    }
    for (long e = 0; e < FEW * g->width; e++) to_std[piece * g->width + e % g->width] += sums[e];
}

#define FOR_ALL_PIECES(g, work) \
    _Pragma("omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)") \
    for (long piece = 0; piece < (g)->groups * pieces(g); piece++) work

/* The sums of each group's pieces, to [groups, width]. */
static void add_up(const Given *g, const double *sums, float *to) {
    for (long group = 0; group < g->groups; group++)
        for (long i = 0; i < g->width; i++) {
            double sum = 0;
            for (long piece = 0; piece < pieces(g); piece++) sum += sums[(group * pieces(g) + piece) * g->width + i];
            to[group * g->width + i] = sum;
        }
}

static int given_from(PyObject *sizes, PyObject *arrays, Given *g) {
    Py_ssize_t x, mean, log_std;
    if (!PyArg_ParseTuple(sizes, "lll", &g->rows, &g->width, &g->groups) ||
        !PyArg_ParseTuple(arrays, "nnn", &x, &mean, &log_std))
        return 0;
    if (g->width < 1 || g->width > MOST || g->groups < 1 || g->rows % g->groups) {
        PyErr_Format(PyExc_ValueError, "want 1 to %d numbers a row, and as many rows in each group", MOST);
        return 0;
    }
    g->x = (const float *)x, g->mean = (const float *)mean, g->log_std = (const float *)log_std;
    return 1;
}

static PyObject *py_squares(PyObject *self, PyObject *args) {
    PyObject *sizes, *arrays;
    int threads;
    Py_ssize_t out;
    Given g;
    if (!PyArg_ParseTuple(args, "O!O!in", &PyTuple_Type, &sizes, &PyTuple_Type, &arrays, &threads, &out) ||
        !given_from(sizes, arrays, &g))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_PIECES(&g, squares(&g, piece, (float *)out));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *py_pull(PyObject *self, PyObject *args) {
    PyObject *sizes, *arrays;
    int threads;
    Py_ssize_t u, to_mean, to_std;
    Given g;
    if (!PyArg_ParseTuple(args, "O!O!innn", &PyTuple_Type, &sizes, &PyTuple_Type, &arrays, &threads, &u, &to_mean,
                          &to_std) ||
        !given_from(sizes, arrays, &g))
        return NULL;
    double *sums = calloc(g.groups * pieces(&g) * g.width + 1, sizeof(double));
    if (!sums) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_PIECES(&g, pull(&g, piece, (const float *)u, (float *)to_mean, sums));
    add_up(&g, sums, (float *)to_std);
    Py_END_ALLOW_THREADS
    free(sums);
    Py_RETURN_NONE;
}

static PyObject *py_bend(PyObject *self, PyObject *args) {
    PyObject *sizes, *arrays;
    int threads;
    Py_ssize_t u, v_mean, v_std, to_u, to_mean, to_std;
    Given g;
    if (!PyArg_ParseTuple(args, "O!O!innnnnn", &PyTuple_Type, &sizes, &PyTuple_Type, &arrays, &threads, &u, &v_mean,
                          &v_std, &to_u, &to_mean, &to_std) ||
        !given_from(sizes, arrays, &g))
        return NULL;
    double *sums = calloc(g.groups * pieces(&g) * g.width + 1, sizeof(double));
    if (!sums) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_PIECES(&g, bend(&g, piece, (const float *)u, (const float *)v_mean, (const float *)v_std, (float *)to_u,
                            (float *)to_mean, sums));
    add_up(&g, sums, (float *)to_std);
    Py_END_ALLOW_THREADS
    free(sums);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"squares", py_squares, METH_VARARGS, "squares((rows, width, groups), (x, mean, log_std), threads, out)"},
    {"pull", py_pull, METH_VARARGS, "pull(sizes, given, threads, u, to_mean, to_std)"},
    {"bend", py_bend, METH_VARARGS, "bend(sizes, given, threads, u, v_mean, v_std, to_u, to_mean, to_std)"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "gaussian_loops", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_gaussian_loops(void) {
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddIntMacro(made, MOST)) Py_CLEAR(made);
    return made;
}
