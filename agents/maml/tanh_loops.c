/* The passes through tanh layers that tanh_layers.py describes, of some tasks, a block of rows at a time.

In torch each operation of a pass reads and writes whole activations in main memory; here a block goes through a whole
pass in the processor's cache. Every hidden layer has a multiple of 8 units. Arrays are float32; of each task
x [rows, inputs] and the activations [rows, units] are contiguous. Tasks are shared out to the threads of OpenMP, which
are torch's own where both use one library of it: threads of another kind would have to share the cores with torch's,
which spin for a while after each operation.
*/
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <omp.h>
#include <stdlib.h>

#include "../vectors.h"

#define BLOCK 64
#define MOST 8   /* layers */

typedef struct {
    const float *weight, *bias;    /* [in, out], [out] of task 0; a task is so many numbers further: */
    long weight_task, bias_task;
} Layer;

typedef struct {
    long count, rows, size[MOST + 1], wide[MOST + 1]; /* wide: sizes rounded up to whole vectors */
    float *hidden[MOST]; /* what goes into each layer; hidden[0] is x, and only read */
    Layer layer[MOST];
} Net;

/* A stack of scratch memory, never full: `scratch_of` counted it. */
INLINE float *take(float **free, long count) {
    float *found = *free;
    *free += count;
    return found;
}

/* The transpose [k, n] of w [n, k] as `product` reads it; n a multiple of 8. */
static void pack_turned(const float *w, long k, long n, float *packed) {
    for (long v = 0, c; v < n / LANES; v += c) {
        c = width(n / LANES - v);
        for (long i = 0; i < k; i++)
            for (long j = v * LANES; j < (v + c) * LANES; j++) *packed++ = w[j * k + i];
    }
}

INLINE void fill_rows(float *out, const float *row, long n, long wide, long rows) {
    for (long i = 0; i < rows; i++, out += wide) {
        memcpy(out, row, n * sizeof(float));
        memset(out + n, 0, (wide - n) * sizeof(float));
    }
}

INLINE void copy_rows(float *out, long out_row, const float *from_, long from_row, long n, long rows) {
    for (long i = 0; i < rows; i++) memcpy(out + i * out_row, from_ + i * from_row, n * sizeof(float));
}

/* Rows [rows, n] filled up to [rows, wide] with zeros. */
INLINE void widen(float *out, long wide, const float *in, long n, long rows) {
    for (long i = 0; i < rows; i++) {
        memcpy(out + i * wide, in + i * n, n * sizeof(float));
        memset(out + i * wide + n, 0, (wide - n) * sizeof(float));
    }
}

INLINE void add_columns(float *sums, const float *d, long wide, long rows) {
    for (long j = 0; j < wide; j += LANES) {
        Vector sum = *from(sums + j);
        for (long i = 0; i < rows; i++) sum += *from(d + i * wide + j);
        *at(sums + j) = sum;
    }
}

/* x is [rows, n] contiguous, n a multiple of 8, as it is of all hidden units. */
INLINE void tanh_of(float *x, long count) {
    for (long i = 0; i < count; i += LANES) *at(x + i) = 2.0f * sigmoid(2.0f * *from(x + i)) - 1.0f;
}

INLINE void times_slope(float *d, const float *h, long count) {
    for (long i = 0; i < count; i += LANES) {
        Vector y = *from(h + i);
        *at(d + i) *= 1.0f - y * y;
    }
}

/* Fills the hidden activations and out [tasks, rows, outputs]. */
INLINE void run(const Net *net, long task, float *out, float *scratch) {
    const long depth = net->count, outputs = net->size[depth];
    float *free = scratch, *w[MOST];
    for (long l = 0; l < depth; l++) {
        w[l] = take(&free, net->size[l] * net->wide[l + 1]);
        pack(net->layer[l].weight + task * net->layer[l].weight_task, net->size[l], net->size[l + 1], net->wide[l + 1],
             w[l]);
    }
    float *z = take(&free, BLOCK * net->wide[depth]);
    for (long row = 0; row < net->rows; row += BLOCK) {
        const long rows = net->rows - row < BLOCK ? net->rows - row : BLOCK, at_row = task * net->rows + row;
        for (long l = 0; l < depth; l++) {
            const long n = net->size[l + 1], wide = net->wide[l + 1];
            float *to = l + 1 < depth ? net->hidden[l + 1] + at_row * n : z;
            fill_rows(to, net->layer[l].bias + task * net->layer[l].bias_task, n, wide, rows);
            product(net->hidden[l] + at_row * net->size[l], net->size[l], w[l], net->size[l], wide, to, wide, rows);
            if (l + 1 < depth) tanh_of(to, rows * n);
        }
        copy_rows(out + at_row * outputs, outputs, z, net->wide[depth], outputs, rows);
    }
}

/* Of rows from at_row on: delta[l] [rows, wide of layer l's output], from u [rows, outputs]; turned [l]: W_l^T packed. */
INLINE void deltas(const Net *net, long at_row, long rows, const float *u, float *const *turned, float **delta) {
    const long depth = net->count;
    widen(delta[depth - 1], net->wide[depth], u + at_row * net->size[depth], net->size[depth], rows);
    for (long l = depth - 1; l > 0; l--) {
        const long n = net->size[l];
        memset(delta[l - 1], 0, rows * n * sizeof(float));
        product(delta[l], net->wide[l + 1], turned[l], net->size[l + 1], n, delta[l - 1], n, rows);
        times_slope(delta[l - 1], net->hidden[l] + at_row * n, rows * n);
    }
}

/* Scratch for W_l^T of all layers but the first, packed, and for what they turn to. */
INLINE void turn(const Net *net, const Layer *layer, long task, float **free, float **turned) {
    for (long l = 1; l < net->count; l++) {
        turned[l] = take(free, net->size[l + 1] * net->size[l]);
        pack_turned(layer[l].weight + task * layer[l].weight_task, net->size[l + 1], net->size[l], turned[l]);
    }
}

/* Zeroed sums of the gradients of a task's weights [in, wide] and biases [wide]; the whole is kept for `put`. */
INLINE void sums_of(const Net *net, float **free, float **weight, float **bias) {
    for (long l = 0; l < net->count; l++) {
        const long count = (net->size[l] + 1) * net->wide[l + 1];
        weight[l] = take(free, count);
        bias[l] = weight[l] + net->size[l] * net->wide[l + 1];
        memset(weight[l], 0, count * sizeof(float));
    }
}

INLINE void put(const Net *net, long task, float *const *weight, float *const *bias, float *const *to_weight,
                float *const *to_bias) {
    for (long l = 0; l < net->count; l++) {
        const long k = net->size[l], n = net->size[l + 1];
        copy_rows(to_weight[l] + task * k * n, n, weight[l], net->wide[l + 1], n, k);
        memcpy(to_bias[l] + task * n, bias[l], n * sizeof(float));
    }
}

/* J^T u: to_weight[l] [tasks, in, out], to_bias[l] [tasks, out]. */
INLINE void pull(const Net *net, long task, const float *u, float *const *to_weight, float *const *to_bias,
                 float *scratch) {
    const long depth = net->count;
    float *free = scratch, *turned[MOST], *delta[MOST], *weight[MOST], *bias[MOST];
    turn(net, net->layer, task, &free, turned);
    sums_of(net, &free, weight, bias);
    for (long l = 0; l < depth; l++) delta[l] = take(&free, BLOCK * net->wide[l + 1]);
    for (long row = 0; row < net->rows; row += BLOCK) {
        const long rows = net->rows - row < BLOCK ? net->rows - row : BLOCK, at_row = task * net->rows + row;
        deltas(net, at_row, rows, u, turned, delta);
        for (long l = 0; l < depth; l++) {
            const long k = net->size[l], wide = net->wide[l + 1];
            product_transposed(net->hidden[l] + at_row * k, k, delta[l], wide, rows, k, wide, weight[l], wide);
            add_columns(bias[l], delta[l], wide, rows);
        }
    }
    put(net, task, weight, bias, to_weight, to_bias);
}

/* The derivative of u^T J v by u, to_out [tasks, rows, outputs], and by the weights and biases. */
INLINE void bend(const Net *net, long task, const float *u, const Layer *along, float *to_out,
                 float *const *to_weight, float *const *to_bias, float *scratch) {
    const long depth = net->count, outputs = net->size[depth];
    float *free = scratch, *w[MOST], *way[MOST], *turned[MOST], *way_turned[MOST], *weight[MOST], *bias[MOST];
    float *delta[MOST], *pushed[MOST], *moved[MOST], *back, *bent;
    turn(net, net->layer, task, &free, turned);
    turn(net, along, task, &free, way_turned);
    sums_of(net, &free, weight, bias);
    long widest = 0;
    for (long l = 0; l < depth; l++) {
        const long k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
        if (l) { /* what goes into the first layer does not move */
            w[l] = take(&free, k * wide);
            pack(net->layer[l].weight + task * net->layer[l].weight_task, k, n, wide, w[l]);
        }
        way[l] = take(&free, k * wide);
        pack(along[l].weight + task * along[l].weight_task, k, n, wide, way[l]);
        delta[l] = take(&free, BLOCK * wide);
        pushed[l] = take(&free, BLOCK * wide); /* z dot of layer l's output */
        moved[l] = take(&free, BLOCK * wide);  /* h dot, of what goes into layer l + 1 */
        widest = wide > widest ? wide : widest;
    }
    back = take(&free, BLOCK * widest);
    bent = take(&free, BLOCK * widest); /* delta dot */
    for (long row = 0; row < net->rows; row += BLOCK) {
        const long rows = net->rows - row < BLOCK ? net->rows - row : BLOCK, at_row = task * net->rows + row;
        deltas(net, at_row, rows, u, turned, delta);
        for (long l = 0; l < depth; l++) {
            const long k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
            fill_rows(pushed[l], along[l].bias + task * along[l].bias_task, n, wide, rows);
            product(net->hidden[l] + at_row * k, k, way[l], k, wide, pushed[l], wide, rows);
            if (l) product(moved[l - 1], k, w[l], k, wide, pushed[l], wide, rows);
            if (l + 1 == depth) break;
            memcpy(moved[l], pushed[l], rows * n * sizeof(float));
            times_slope(moved[l], net->hidden[l + 1] + at_row * n, rows * n);
        }
        copy_rows(to_out + at_row * outputs, outputs, pushed[depth - 1], net->wide[depth], outputs, rows);
        for (long l = depth - 1; l >= 0; l--) {
            const long k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
            if (l + 1 < depth) {
                const float *h = net->hidden[l + 1] + at_row * n;
                for (long i = 0; i < rows * n; i += LANES) {
                    Vector y = *from(h + i);
                    *at(bent + i) = (1.0f - y * y) * *from(back + i) -
                                    2.0f * y * *from(delta[l] + i) * *from(pushed[l] + i);
                }
                product_transposed(net->hidden[l] + at_row * k, k, bent, wide, rows, k, wide, weight[l], wide);
                add_columns(bias[l], bent, wide, rows);
            }
            if (!l) break;
            product_transposed(moved[l - 1], k, delta[l], wide, rows, k, wide, weight[l], wide);
            memset(back, 0, rows * k * sizeof(float));
            product(delta[l], wide, way_turned[l], n, k, back, k, rows);
            if (l + 1 < depth) product(bent, wide, turned[l], n, k, back, k, rows);
        }
    }
    put(net, task, weight, bias, to_weight, to_bias);
}

/* Floats that any of the passes takes. */
static size_t scratch_of(const Net *net) {
    size_t count = 0, widest = 0;
    for (long l = 0; l < net->count; l++) {
        const size_t k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
        count += 2 * n * k + (k + 1) * wide + 2 * k * wide + 3 * BLOCK * wide;
        widest = wide > widest ? wide : widest;
    }
    return count + 2 * BLOCK * widest;
}

WITH_FMA static void run_fma(const Net *net, long task, float *out, float *scratch) {
    run(net, task, out, scratch);
}
static void run_plain(const Net *net, long task, float *out, float *scratch) {
    run(net, task, out, scratch);
}
WITH_FMA static void pull_fma(const Net *net, long task, const float *u, float *const *to_weight,
                              float *const *to_bias, float *scratch) {
    pull(net, task, u, to_weight, to_bias, scratch);
}
static void pull_plain(const Net *net, long task, const float *u, float *const *to_weight,
                       float *const *to_bias, float *scratch) {
    pull(net, task, u, to_weight, to_bias, scratch);
}
WITH_FMA static void bend_fma(const Net *net, long task, const float *u, const Layer *along, float *to_out,
                              float *const *to_weight, float *const *to_bias, float *scratch) {
    bend(net, task, u, along, to_out, to_weight, to_bias, scratch);
}
static void bend_plain(const Net *net, long task, const float *u, const Layer *along, float *to_out,
                       float *const *to_weight, float *const *to_bias, float *scratch) {
    bend(net, task, u, along, to_out, to_weight, to_bias, scratch);
}

#define MINE (scratch + omp_get_thread_num() * own) /* a thread's part of the scratch memory */
#define FOR_ALL_TASKS(work) \
    _Pragma("omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)") \
    for (long task = 0; task < tasks; task++) work

/* Numbers from a tuple; 0 and an exception where there are not `count` of them. */
static int numbers(PyObject *tuple, long count, long *to) {
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != count) {
        PyErr_Format(PyExc_ValueError, "want a tuple of %ld numbers", count);
        return 0;
    }
    for (long i = 0; i < count; i++) {
        to[i] = PyLong_AsLong(PyTuple_GET_ITEM(tuple, i));
        if (to[i] == -1 && PyErr_Occurred()) return 0;
    }
    return 1;
}

/* Four numbers a layer: address and numbers a task of the weight, then of the bias. */
static int layers_from(PyObject *tuple, long count, Layer *layer) {
    long given[4 * MOST];
    if (!numbers(tuple, 4 * count, given)) return 0;
    for (long l = 0; l < count; l++) {
        const long *of = given + 4 * l;
        layer[l] = (Layer){(const float *)of[0], (const float *)of[2], of[1], of[3]};
    }
    return 1;
}

/* sizes, rows, addresses of what goes into each layer, the layers. */
static int net_from(PyObject *sizes, long rows, PyObject *hidden, PyObject *layers, Net *net) {
    long addresses[MOST];
    net->count = PyTuple_Check(sizes) ? (long)PyTuple_Size(sizes) - 1 : 0;
    net->rows = rows;
    if (net->count < 1 || net->count > MOST) {
        PyErr_Format(PyExc_ValueError, "want 1 to %d layers", MOST);
        return 0;
    }
    if (!numbers(sizes, net->count + 1, net->size) || !numbers(hidden, net->count, addresses)) return 0;
    for (long l = 0; l <= net->count; l++) net->wide[l] = (net->size[l] + LANES - 1) / LANES * LANES;
    for (long l = 0; l < net->count; l++) net->hidden[l] = (float *)addresses[l];
    return layers_from(layers, net->count, net->layer);
}

/* Addresses of the gradients, weight and bias of each layer in turn. */
static int places_from(PyObject *tuple, long count, float **weight, float **bias) {
    long given[2 * MOST];
    if (!numbers(tuple, 2 * count, given)) return 0;
    for (long l = 0; l < count; l++) weight[l] = (float *)given[2 * l], bias[l] = (float *)given[2 * l + 1];
    return 1;
}

static PyObject *py_run(PyObject *self, PyObject *args) {
    PyObject *sizes, *hidden, *layers;
    Py_ssize_t rows, tasks, threads, out;
    Net net;
    if (!PyArg_ParseTuple(args, "OnOOnnn", &sizes, &rows, &hidden, &layers, &tasks, &threads, &out) ||
        !net_from(sizes, rows, hidden, layers, &net))
        return NULL;
    const size_t own = scratch_of(&net);
    float *scratch = malloc(threads * own * sizeof(float));
    if (!scratch) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_TASKS((has_fma() ? run_fma : run_plain)(&net, task, (float *)out, MINE));
    Py_END_ALLOW_THREADS
    free(scratch);
    Py_RETURN_NONE;
}

static PyObject *py_pull(PyObject *self, PyObject *args) {
    PyObject *sizes, *hidden, *layers, *to;
    Py_ssize_t rows, tasks, threads, u;
    Net net;
    float *weight[MOST], *bias[MOST];
    if (!PyArg_ParseTuple(args, "OnOOnnnO", &sizes, &rows, &hidden, &layers, &tasks, &threads, &u, &to) ||
        !net_from(sizes, rows, hidden, layers, &net) || !places_from(to, net.count, weight, bias))
        return NULL;
    const size_t own = scratch_of(&net);
    float *scratch = malloc(threads * own * sizeof(float));
    if (!scratch) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_TASKS((has_fma() ? pull_fma : pull_plain)(&net, task, (const float *)u, weight, bias, MINE));
    Py_END_ALLOW_THREADS
    free(scratch);
    Py_RETURN_NONE;
}

static PyObject *py_bend(PyObject *self, PyObject *args) {
    PyObject *sizes, *hidden, *layers, *ways, *to;
    Py_ssize_t rows, tasks, threads, u, out;
    Net net;
    Layer along[MOST];
    float *weight[MOST], *bias[MOST];
    if (!PyArg_ParseTuple(args, "OnOOnnnOnO", &sizes, &rows, &hidden, &layers, &tasks, &threads, &u, &ways, &out, &to) ||
        !net_from(sizes, rows, hidden, layers, &net) || !layers_from(ways, net.count, along) ||
        !places_from(to, net.count, weight, bias))
        return NULL;
    const size_t own = scratch_of(&net);
    float *scratch = malloc(threads * own * sizeof(float));
    if (!scratch) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_TASKS((has_fma() ? bend_fma : bend_plain)(&net, task, (const float *)u, along, (float *)out, weight, bias, MINE));
    Py_END_ALLOW_THREADS
    free(scratch);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", py_run, METH_VARARGS, "run(sizes, rows, hidden, layers, tasks, threads, out)"},
    {"pull", py_pull, METH_VARARGS, "pull(sizes, rows, hidden, layers, tasks, threads, u, to)"},
    {"bend", py_bend, METH_VARARGS, "bend(sizes, rows, hidden, layers, tasks, threads, u, along, out, to)"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tanh_loops", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_tanh_loops(void) {
    PyObject *made = PyModule_Create(&module);
    if (made && (PyModule_AddIntMacro(made, LANES) || PyModule_AddIntMacro(made, MOST))) Py_CLEAR(made);
    return made;
}
