/* The loops over time of a GRU, forwards and backwards. gru.py computes everything that is not sequential in time.

For a small minibatch, a step is a product of a few rows with the recurrent weights and a few operations on the gates.
In torch, the calls of these operations take longer than their arithmetic; here a chunk of steps is one call. Rows are
independent, and the order of every sum is the same for any number of rows. All arrays are float32 and contiguous; H is
a multiple of 8.

A product keeps a tile of 4 rows x 24 columns, 6 x 16 or 12 x 8 in registers. Weights are packed in the order in which
the tiles read them.
*/
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#define LANES 8
#define WIDEST 3 /* most vectors of columns in a tile */
#define HEIGHT(c) ((c) == 3 ? 4 : (c) == 2 ? 6 : 12) /* rows of a tile of c vectors: the sums fill the registers */
#define HIGHEST 12

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int Integers __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE Vector *at(float *p) { return (Vector *)p; }
INLINE const Vector *from(const float *p) { return (const Vector *)p; }

INLINE Vector pick(Integers mask, Vector yes, Vector no) {
    return (Vector)((mask & (Integers)yes) | (~mask & (Integers)no));
}

/* Return 1 / (1 + exp(-x)). exp: Cody and Waite's reduction and a Taylor polynomial on [-ln 2 / 2, ln 2 / 2]. */
INLINE Vector sigmoid(Vector x) {
    const Vector most = {87, 87, 87, 87, 87, 87, 87, 87};
    const float rounder = 12582912.0f; /* 1.5 x 2^23: adding it rounds to an integer */
    Vector y = -x;
    y = pick(y > most, most, y); /* NaN stays NaN */
    y = pick(y < -most, -most, y);
    Vector n = (y * 1.44269504f + rounder) - rounder;
    Vector r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    Vector e = r * (1.0f / 5040) + 1.0f / 720;
    e = e * r + 1.0f / 120;
    e = e * r + 1.0f / 24;
    e = e * r + 1.0f / 6;
    e = e * r + 0.5f;
    e = e * r + 1.0f;
    e = e * r + 1.0f;
    Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
    return 1.0f / (1.0f + e * (Vector)power);
}

/* Return the width in vectors of the next tile, with `left` to go: at most 3; 2 where 3 would leave a single one. */
INLINE long width(long left) { return left == 4 || left < WIDEST ? (left < 2 ? left : 2) : WIDEST; }

/* Copy weights [k, n] in the order in which the tiles read them; n is a multiple of 8. */
static void pack(const float *w, long k, long n, float *packed) {
    for (long v = 0, c; v < n / LANES; v += c) {
        c = width(n / LANES - v);
        for (long i = 0; i < k; i++, packed += c * LANES)
            memcpy(packed, w + i * n + v * LANES, c * LANES * sizeof(float));
    }
}

/* out[rows, c vectors] += a[rows, k] w[k, c vectors], for one tile, whose sums are in registers. */
INLINE void tile(const int rows, const int c, const float *a, long a_row, const float *w, long k, float *out,
                 long out_row) {
    Vector sums[HIGHEST][WIDEST];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int j = 0; j < c; j++) sums[i][j] = from(out + i * out_row)[j];
    for (long l = 0; l < k; l++, w += c * LANES) {
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
            for (int j = 0; j < c; j++) sums[i][j] += a[i * a_row + l] * from(w)[j];
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int j = 0; j < c; j++) at(out + i * out_row)[j] = sums[i][j];
}

/* The same as `tile`, for any number of rows. */
INLINE void tiles(const int c, const float *a, long a_row, const float *w, long k, float *out, long out_row,
                  long rows) {
#define TILE(high) tile(high, c, a + i * a_row, a_row, w, k, out + i * out_row, out_row)
    long i = 0;
    for (; i + HEIGHT(c) <= rows; i += HEIGHT(c)) TILE(HEIGHT(c));
    for (; i + 4 <= rows; i += 4) TILE(4);
    for (; i + 2 <= rows; i += 2) TILE(2);
    if (i < rows) TILE(1);
#undef TILE
}

/* out[rows, n] += a[rows, k] w[k, n]; w is packed. */
INLINE void product(const float *a, long a_row, const float *w, long k, long n, float *out, long out_row, long rows) {
    for (long v = 0, c; v < n / LANES; v += c, w += k * c * LANES) {
        c = width(n / LANES - v);
        float *o = out + v * LANES;
        if (c == 3) tiles(3, a, a_row, w, k, o, out_row, rows);
        else if (c == 2) tiles(2, a, a_row, w, k, o, out_row, rows);
        else tiles(1, a, a_row, w, k, o, out_row, rows);
    }
}

/* Each loop is compiled with and without fused multiply-adds; the version is chosen at run time by the processor. */
#if defined(__x86_64__)
#define WITH_FMA __attribute__((target("avx2,fma")))
static int has_fma(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define WITH_FMA
static int has_fma(void) { return 0; }
#endif

/* Compute the states us [T + 1, B, H] from the first one, and the gates r, z, q, s [T, B, 4 H]. On entry the gates hold
their parts that do not depend on u. w [H, 3 H] is packed. A step is r, z, q += u w; r, z = sigmoid(r, z);
s = sigmoid(s + 2 r q); the next u = (1 - z) s + z u. */
INLINE void forwards(float *us, float *gates, const float *w, long steps, long batch, long hidden) {
    for (long t = 0; t < steps; t++, us += batch * hidden, gates += batch * 4 * hidden) {
        product(us, hidden, w, hidden, 3 * hidden, gates, 4 * hidden, batch);
        for (long b = 0; b < batch; b++) {
            float *r = gates + b * 4 * hidden, *z = r + hidden, *q = z + hidden, *s = q + hidden;
            float *u = us + b * hidden, *next = u + batch * hidden;
            for (long j = 0; j < hidden; j += LANES) {
                Vector r_now = sigmoid(*from(r + j)), z_now = sigmoid(*from(z + j));
                Vector s_now = sigmoid(*from(s + j) + 2.0f * r_now * *from(q + j));
                *at(r + j) = r_now, *at(z + j) = z_now, *at(s + j) = s_now;
                *at(next + j) = s_now + z_now * (*from(u + j) - s_now);
            }
        }
    }
}

/* Compute the next states [B, H] from the states h [B, H], both in (-1, 1), and x [B, I]. w_x [I, 4 H] and w [H, 3 H]
are packed; b [4 H] is `Folded.b_x` of gru.py; scratch is [B, 6 H]. */
INLINE void step(const float *x, const float *h, float *next, const float *w_x, const float *b, const float *w,
                 float *scratch, long batch, long inputs, long hidden) {
    float *us = scratch, *gates = scratch + 2 * batch * hidden;
    for (long i = 0; i < batch * hidden; i++) us[i] = (h[i] + 1.0f) * 0.5f;
    for (long i = 0; i < batch; i++) memcpy(gates + i * 4 * hidden, b, 4 * hidden * sizeof(float));
    product(x, inputs, w_x, inputs, 4 * hidden, gates, 4 * hidden, batch);
    forwards(us, gates, w, 1, batch, hidden);
    for (long i = 0; i < batch * hidden; i++) next[i] = 2.0f * us[batch * hidden + i] - 1.0f;
}

/* Propagate gradients back in time, last step first: dstate += dnext z + d(r, z, q) w. dhs [T + 1, B, H] are the
gradients of the states, on entry without the parts from later steps. hs [T, B, H] are the states before each step;
gates are those computed by `forwards`; w [3 H, H] is packed. d [T, B, 4, H] receives the gradients of the arguments of
the sigmoids of r and z, of q, and of the argument of the tanh of n (n = 2 s - 1). */
INLINE void backwards(float *dhs, float *d, const float *hs, const float *gates, const float *w, long steps, long batch,
                      long hidden) {
    for (long t = steps - 1; t >= 0; t--) {
        float *now = dhs + t * batch * hidden, *d_now = d + t * batch * 4 * hidden;
        for (long b = 0; b < batch; b++) {
            const long state = b * hidden, gate = (t * batch + b) * 4 * hidden;
            const float *r = gates + gate, *z = r + hidden, *q = z + hidden, *s = q + hidden;
            const float *h = hs + t * batch * hidden + state, *dnext = now + batch * hidden + state;
            float *dr = d + gate, *dz = dr + hidden, *dq = dz + hidden, *dn = dq + hidden, *dh = now + state;
            for (long j = 0; j < hidden; j += LANES) {
                Vector g = *from(dnext + j), r_now = *from(r + j), z_now = *from(z + j), s_now = *from(s + j);
                Vector n_grad = g * (1.0f - z_now) * 4.0f * s_now * (1.0f - s_now);
                *at(dn + j) = n_grad;
                *at(dq + j) = n_grad * r_now;
                *at(dr + j) = n_grad * *from(q + j) * r_now * (1.0f - r_now);
                *at(dz + j) = g * (*from(h + j) + 1.0f - 2.0f * s_now) * z_now * (1.0f - z_now);
                *at(dh + j) += g * z_now;
            }
        }
        product(d_now, 4 * hidden, w, 3 * hidden, hidden, now, hidden, batch);
    }
}

WITH_FMA static void forwards_fma(float *us, float *gates, const float *w, long t, long b, long h) {
    forwards(us, gates, w, t, b, h);
}
static void forwards_plain(float *us, float *gates, const float *w, long t, long b, long h) {
    forwards(us, gates, w, t, b, h);
}
WITH_FMA static void step_fma(const float *x, const float *h, float *next, const float *w_x, const float *b,
                              const float *w, float *scratch, long batch, long inputs, long hidden) {
    step(x, h, next, w_x, b, w, scratch, batch, inputs, hidden);
}
static void step_plain(const float *x, const float *h, float *next, const float *w_x, const float *b, const float *w,
                       float *scratch, long batch, long inputs, long hidden) {
    step(x, h, next, w_x, b, w, scratch, batch, inputs, hidden);
}
WITH_FMA static void backwards_fma(float *dhs, float *d, const float *hs, const float *gates, const float *w, long t,
                                   long b, long h) {
    backwards(dhs, d, hs, gates, w, t, b, h);
}
static void backwards_plain(float *dhs, float *d, const float *hs, const float *gates, const float *w, long t, long b,
                            long h) {
    backwards(dhs, d, hs, gates, w, t, b, h);
}

static PyObject *py_pack(PyObject *self, PyObject *args) {
    Py_ssize_t w, packed, k, n;
    if (!PyArg_ParseTuple(args, "nnnn", &w, &packed, &k, &n)) return NULL;
    pack((const float *)w, k, n, (float *)packed);
    Py_RETURN_NONE;
}

static PyObject *py_forwards(PyObject *self, PyObject *args) {
    Py_ssize_t us, gates, w, t, b, h;
    if (!PyArg_ParseTuple(args, "nnnnnn", &us, &gates, &w, &t, &b, &h)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    (has_fma() ? forwards_fma : forwards_plain)((float *)us, (float *)gates, (const float *)w, t, b, h);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *py_step(PyObject *self, PyObject *args) {
    Py_ssize_t x, h, next, w_x, b, w, scratch, batch, inputs, hidden;
    if (!PyArg_ParseTuple(args, "nnnnnnnnnn", &x, &h, &next, &w_x, &b, &w, &scratch, &batch, &inputs, &hidden))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    (has_fma() ? step_fma : step_plain)((const float *)x, (const float *)h, (float *)next, (const float *)w_x,
                                        (const float *)b, (const float *)w, (float *)scratch, batch, inputs, hidden);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *py_backwards(PyObject *self, PyObject *args) {
    Py_ssize_t dhs, d, hs, gates, w, t, b, h;
    if (!PyArg_ParseTuple(args, "nnnnnnnn", &dhs, &d, &hs, &gates, &w, &t, &b, &h)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    (has_fma() ? backwards_fma : backwards_plain)((float *)dhs, (float *)d, (const float *)hs, (const float *)gates,
                                                  (const float *)w, t, b, h);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"pack", py_pack, METH_VARARGS, "pack(w, packed, K, N): addresses, then sizes"},
    {"forwards", py_forwards, METH_VARARGS, "forwards(us, gates, w, T, B, H): addresses, then sizes"},
    {"step", py_step, METH_VARARGS, "step(x, h, next, w_x, b, w, scratch, B, I, H): addresses, then sizes"},
    {"backwards", py_backwards, METH_VARARGS, "backwards(dhs, d, hs, gates, w, T, B, H): addresses, then sizes"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "gru_loops", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_gru_loops(void) { return PyModule_Create(&module); }
