/* The step loops of a GRU over whole trials, forwards and backwards (gru.py does the rest).

A step of a small minibatch is a product of some rows with the recurrent weights and a few operations on its gates: in
torch the operations' calls take longer than their arithmetic. Here a chunk of steps is one call. Rows never mix, and
every number is summed in the same order whatever the number of rows. All arrays are float32, contiguous; H is a
multiple of 8.
*/
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "vectors.h"

/* us [T + 1, B, H], of which the first is given; gates r, z, q, s [T, B, 4 H], which hold what does not depend on u;
w [H, 3 H] packed: r, z, q += u w; r, z = sigmoid(r, z); s = sigmoid(s + 2 r q); the next u = (1 - z) s + z u. */
INLINE void forwards(float *us, float *gates, const float *w, long steps, long batch, long hidden) {
    for (long t = 0; t < steps; t++, us += batch * hidden, gates += batch * 4 * hidden) {
        product(us, hidden, w, hidden, 3 * hidden, gates, 4 * hidden, batch, NOTHING);
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

/* One step: next [B, H] from states h [B, H], both in (-1, 1), and x [B, I]; w_x [I, 4 H] and w [H, 3 H] packed, b [4 H]
as in gru.py; scratch [B, 6 H]. */
INLINE void step(const float *x, const float *h, float *next, const float *w_x, const float *b, const float *w,
                 float *scratch, long batch, long inputs, long hidden) {
    float *us = scratch, *gates = scratch + 2 * batch * hidden;
    for (long i = 0; i < batch * hidden; i++) us[i] = (h[i] + 1.0f) * 0.5f;
    for (long i = 0; i < batch; i++) memcpy(gates + i * 4 * hidden, b, 4 * hidden * sizeof(float));
    product(x, inputs, w_x, inputs, 4 * hidden, gates, 4 * hidden, batch, NOTHING);
    forwards(us, gates, w, 1, batch, hidden);
    for (long i = 0; i < batch * hidden; i++) next[i] = 2.0f * us[batch * hidden + i] - 1.0f;
}

/* dhs [T + 1, B, H], gradients of the states but for what flows back in time; hs [T, B, H], the states before each
step; gates as `forwards` left them; w [3 H, H] packed. Fills d [T, B, 4, H], the gradients of the arguments of r's and
z's sigmoids, of q, and of n's tanh (n = 2 s - 1): dstate += dnext z + d(r, z, q) w, last step first. */
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
        product(d_now, 4 * hidden, w, 3 * hidden, hidden, now, hidden, batch, NOTHING);
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
    pack((const float *)w, k, n, n, (float *)packed);
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
