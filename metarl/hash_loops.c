/* The passes of hashing.py over int64 tensors, where torch takes a dozen operations for each mixing.

Whole numbers wrap around as torch's do, and fractions are exact or rounded once: the same numbers as torch's
operations give, bit for bit. A pass takes some numbers at a time, each line over all of them, which compilers turn into
vectors.
*/
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define FEW 256 /* numbers at a time */
#define STEP 0x9E3779B97F4A7C15u
#define POSITIVE 0x7FFFFFFFFFFFFFFFu
#define WHOLE_TURN 6.283185307179586

/* The same lines are compiled twice, and the processor decides when the module is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define CLONED __attribute__((target_clones("avx2", "default")))
#else
#define CLONED
#endif
#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) for (Size i = 0; i < (n); i++)

typedef uint64_t Bits;
typedef Py_ssize_t Size; /* addresses, too */

/* Numbers of a draw: of each state in turn, the elements from `first` on. */
typedef struct {
    const Bits *states;
    Bits salt, first;
    Size rows, count;
} Draw;

INLINE Bits mix(Bits z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* The next few numbers of a draw, from number `at` on; how many. */
INLINE Size next(const Draw *d, Size at, Bits *z) {
    const Size left = d->rows * d->count - at, n = left < FEW ? left : FEW;
    const Bits start = d->salt + d->first * STEP;
    if (!n) return 0;
    if (d->count == 1) {
        EACH(i, n) z[i] = mix(d->states[at + i] + start);
    } else {
        Size row = at / d->count, element = at % d->count;
        EACH(i, n) {
            z[i] = d->states[row] + start + (Bits)element * STEP;
            if (++element == d->count) element = 0, row++;
        }
        EACH(i, n) z[i] = mix(z[i]);
    }
    return n;
}

INLINE double fraction(Bits z) { return (int64_t)(z >> 11) * 0x1p-53; }

CLONED static void absorb(const Bits *state, const Bits *part, int for_all, Bits *restrict out, Size rows) {
    if (for_all) EACH(i, rows) out[i] = mix(state[i] + *part * STEP);
    else EACH(i, rows) out[i] = mix(state[i] + part[i] * STEP);
}

#define OVER(d, at, n, z) for (Size at = 0, n; (n = next(d, at, z)) > 0; at += n)

CLONED static void draw_bits(const Draw *d, Bits *restrict out) {
    Bits z[FEW];
    OVER(d, at, n, z) EACH(i, n) out[at + i] = z[i];
}

CLONED static void draw_below(const Draw *d, Bits high, Bits *restrict out) {
    const int power_of_two = !(high & (high - 1));
    Bits z[FEW];
    OVER(d, at, n, z) {
        if (power_of_two) EACH(i, n) out[at + i] = z[i] & POSITIVE & (high - 1);
        else EACH(i, n) out[at + i] = (z[i] & POSITIVE) % high;
    }
}

CLONED static void draw_floats(const Draw *d, float *restrict out) {
    Bits z[FEW];
    OVER(d, at, n, z) EACH(i, n) out[at + i] = (int32_t)(z[i] >> 40) * 0x1p-24f;
}

CLONED static void draw_doubles(const Draw *d, double *restrict out) {
    Bits z[FEW];
    OVER(d, at, n, z) EACH(i, n) out[at + i] = fraction(z[i]);
}

/* Of the first half of a row's numbers 1 - u, of the other half 2 pi u. */
CLONED static void draw_polar(const Draw *d, double *restrict distance, double *restrict angle) {
    Draw other = *d;
    other.first += d->count;
    Bits z[FEW];
    OVER(d, at, n, z) EACH(i, n) distance[at + i] = 1.0 - fraction(z[i]);
    OVER(&other, at, n, z) EACH(i, n) angle[at + i] = fraction(z[i]) * WHOLE_TURN;
}

static PyObject *py_absorb(PyObject *self, PyObject *args) {
    Size rows, state, part, out;
    int for_all;
    if (!PyArg_ParseTuple(args, "nnnpn", &rows, &state, &part, &for_all, &out)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    absorb((const Bits *)state, (const Bits *)part, for_all, (Bits *)out, rows);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* After the draw itself, one or two arguments: a and b. */
#define DRAWN(name, pass) \
    static PyObject *py_##name(PyObject *self, PyObject *args) { \
        Size states, a = 0, b = 0; \
        Draw d = {0}; \
        if (!PyArg_ParseTuple(args, "nnnKn|n", &d.rows, &d.count, &states, &d.salt, &a, &b)) return NULL; \
        d.states = (const Bits *)states; \
        Py_BEGIN_ALLOW_THREADS \
        pass; \
        Py_END_ALLOW_THREADS \
        Py_RETURN_NONE; \
    }

DRAWN(bits, draw_bits(&d, (Bits *)a))
DRAWN(below, draw_below(&d, (Bits)b, (Bits *)a))
DRAWN(floats, draw_floats(&d, (float *)a))
DRAWN(doubles, draw_doubles(&d, (double *)a))
DRAWN(polar, draw_polar(&d, (double *)a, (double *)b))

static PyMethodDef methods[] = {
    {"absorb", py_absorb, METH_VARARGS, "absorb(rows, state, part, for_all, out)"},
    {"bits", py_bits, METH_VARARGS, "bits(rows, count, states, salt, out)"},
    {"below", py_below, METH_VARARGS, "below(rows, count, states, salt, out, high)"},
    {"floats", py_floats, METH_VARARGS, "floats(rows, count, states, salt, out)"},
    {"doubles", py_doubles, METH_VARARGS, "doubles(rows, count, states, salt, out)"},
    {"polar", py_polar, METH_VARARGS, "polar(rows, count, states, salt, distance, angle)"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "hash_loops", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_hash_loops(void) { return PyModule_Create(&module); }
