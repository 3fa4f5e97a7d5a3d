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

#define BLOCK 48 /* rows: whole tiles of every height */
#define MOST 8   /* layers */
#define PASSES_2 1 /* named anew when the arguments of the passes change */

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

/* Rows of n numbers, out_row and from_row apart. A few numbers go as one vector, and the next row writes over what was
too much: a call of memcpy for each row is slow. */
INLINE void copy_rows(float *out, long out_row, const float *from_, long from_row, long n, long rows) {
    long i = 0;
    if (n < LANES && out_row == n && from_row >= LANES)
        for (; i * n + LANES <= rows * n; i++) *at(out + i * out_row) = *from(from_ + i * from_row);
    for (; i < rows; i++) memcpy(out + i * out_row, from_ + i * from_row, n * sizeof(float));
}

/* Rows [rows, n] filled up to [rows, wide] with zeros. */
INLINE void widen(float *out, long wide, const float *in, long n, long rows) {
    const Integers lane = {0, 1, 2, 3, 4, 5, 6, 7};
    long i = 0;
    if (n < LANES)
        for (; i * n + LANES <= rows * n; i++)
            *at(out + i * wide) = (Vector)((Integers)*from(in + i * n) & (lane < (int)n));
    for (; i < rows; i++) {
        memcpy(out + i * wide, in + i * n, n * sizeof(float));
        memset(out + i * wide + n, 0, (wide - n) * sizeof(float));
    }
}

INLINE void add_columns(float *sums, const float *d, long wide, long rows) {
    long j = 0;
    for (; j + 4 * LANES <= wide; j += 4 * LANES) { /* four sums at a time, since each waits for itself */
        Vector sum[4];
        for (int c = 0; c < 4; c++) sum[c] = from(sums + j)[c];
        for (long i = 0; i < rows; i++)
            for (int c = 0; c < 4; c++) sum[c] += from(d + i * wide + j)[c];
        for (int c = 0; c < 4; c++) at(sums + j)[c] = sum[c];
    }
    for (; j < wide; j += LANES) {
        Vector sum = *from(sums + j);
        for (long i = 0; i < rows; i++) sum += *from(d + i * wide + j);
        *at(sums + j) = sum;
    }
}

/* x P(x^2) / Q(x^2), fitted on [-7.9, 7.9] to a relative error of 6e-9, in single precision 4e-7; beyond, as at the end:
1 - 2^-24. A plain loop, which the compiler takes by vectors; what is not a number stays so. */
INLINE void tanh_of(float *x, long count) {
    for (long i = 0; i < count; i++) {
        float v = x[i] > 7.9f ? 7.9f : x[i];
        v = v < -7.9f ? -7.9f : v;
        const float t = v * v;
        const float p = (((1.5427988e-8f * t + 2.2023256e-5f) * t + 3.5789926e-3f) * t + 0.13450621f) * t + 1.0f;
        const float q = (((8.5987864e-7f * t + 3.4236515e-4f) * t + 2.6192240e-2f) * t + 0.46783948f) * t + 1.0f;
        x[i] = v * p / q;
    }
}

INLINE void times_slope(float *d, const float *h, long count) {
    for (long i = 0; i < count; i += LANES) {
        Vector y = *from(h + i);
        *at(d + i) *= 1.0f - y * y;
    }
}

/* h dot: z dot times the slope at h. */
INLINE void move(float *moved, const float *pushed, const float *h, long count) {
    for (long i = 0; i < count; i += LANES) {
        Vector y = *from(h + i);
        *at(moved + i) = *from(pushed + i) * (1.0f - y * y);
    }
}

/* delta dot of a hidden layer, from what comes back to h. */
INLINE void bend_layer(float *bent, const float *back, const float *h, const float *delta, const float *pushed,
                       long count) {
    for (long i = 0; i < count; i += LANES) {
        Vector y = *from(h + i);
        *at(bent + i) = (1.0f - y * y) * *from(back + i) - 2.0f * y * *from(delta + i) * *from(pushed + i);
    }
}

/* A block of rows, and how many the next one has. */
typedef struct {
    long rows, at_row, more;
} Block;

INLINE Block block_of(const Net *net, long task, long row) {
    const long left = net->rows - row, rows = left < BLOCK ? left : BLOCK, more = left - rows;
    return (Block){rows, task * net->rows + row, more < BLOCK ? more : BLOCK};
}

/* The next block's rows of an array [tasks, rows, n]. */
INLINE Ahead next_rows(const float *array, long n, const Block *b) {
    if (!array) return NOTHING;
    const float *next = array + (b->at_row + b->rows) * n;
    return (Ahead){next, next + b->more * n};
}

/* The next block's rows of what goes into layer l, if there is one. */
INLINE Ahead next_inputs(const Net *net, long l, const Block *b) {
    return l < net->count ? next_rows(net->hidden[l], net->size[l], b) : NOTHING;
}

/* Weights [k, n] and biases [n] of a layer in scratch memory, as `affine` reads them. */
INLINE float *pack_layer(const Net *net, const Layer *layer, long task, long l, float **free) {
    const long k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
    float *packed = take(free, (k + 1) * wide);
    pack(layer[l].weight + task * layer[l].weight_task, k, n, wide, packed);
    widen(packed + k * wide, wide, layer[l].bias + task * layer[l].bias_task, n, 1);
    return packed;
}

/* out[rows, n] = a[rows, k] w[k, n] + b[n], packed: w as `product` reads it, then b. */
INLINE void affine(const float *a, long a_row, const float *packed, long k, long n, float *out, long rows,
                   Ahead ahead) {
    product_from(packed + k * n, 0, a, a_row, packed, k, n, out, n, rows, ahead);
}

/* Fills the hidden activations and out [tasks, rows, outputs]. */
INLINE void run(const Net *net, long task, float *out, float *scratch) {
    const long depth = net->count, outputs = net->size[depth];
    float *free = scratch, *w[MOST];
    for (long l = 0; l < depth; l++) w[l] = pack_layer(net, net->layer, task, l, &free);
    float *z = take(&free, BLOCK * net->wide[depth]);
    for (long row = 0; row < net->rows; row += BLOCK) {
        const Block b = block_of(net, task, row);
        const long rows = b.rows, at_row = b.at_row;
        for (long l = 0; l < depth; l++) {
            const long n = net->size[l + 1], wide = net->wide[l + 1];
            float *to = l + 1 < depth ? net->hidden[l + 1] + at_row * n : z;
            affine(net->hidden[l] + at_row * net->size[l], net->size[l], w[l], net->size[l], wide, to, rows,
                   next_inputs(net, (l + 1) % depth, &b)); /* written next time; x, by the last layer, is read */
            if (l + 1 < depth) tanh_of(to, rows * n);
        }
        copy_rows(out + at_row * outputs, outputs, z, net->wide[depth], outputs, rows);
    }
}

/* Of a block of rows: delta[l] [rows, wide of layer l's output] of layers `first` and on, from u [rows, outputs];
those before are there already. turned [l]: W_l^T packed. */
INLINE void deltas(const Net *net, const Block *b, const float *u, float *const *turned, float **delta, long first) {
    const long depth = net->count, rows = b->rows, at_row = b->at_row;
    widen(delta[depth - 1], net->wide[depth], u + at_row * net->size[depth], net->size[depth], rows);
    for (long l = depth - 1; l > first; l--) {
        const long n = net->size[l];
        affine(delta[l], net->wide[l + 1], turned[l], net->size[l + 1], n, delta[l - 1], rows,
               next_inputs(net, l + 1, b));
        times_slope(delta[l - 1], net->hidden[l] + at_row * n, rows * n);
    }
}

/* W_l^T of all layers but the first and no biases, as `affine` reads them. */
INLINE void turn(const Net *net, const Layer *layer, long task, float **free, float **turned) {
    for (long l = 1; l < net->count; l++) {
        const long n = net->size[l + 1], k = net->size[l];
        turned[l] = take(free, (n + 1) * k);
        pack_turned(layer[l].weight + task * layer[l].weight_task, n, k, turned[l]);
        memset(turned[l] + n * k, 0, k * sizeof(float));
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

/* J^T u: to_weight[l] [tasks, in, out], to_bias[l] [tasks, out]; and, unless NULL, delta of the first layer of several,
[tasks, rows, units]: what `bend` would need longest to find again. */
INLINE void pull(const Net *net, long task, const float *u, float *delta_0, float *const *to_weight,
                 float *const *to_bias, float *scratch) {
    const long depth = net->count;
    float *free = scratch, *turned[MOST], *delta[MOST], *weight[MOST], *bias[MOST];
    turn(net, net->layer, task, &free, turned);
    sums_of(net, &free, weight, bias);
    for (long l = 0; l < depth; l++) delta[l] = take(&free, BLOCK * net->wide[l + 1]);
    for (long row = 0; row < net->rows; row += BLOCK) {
        const Block b = block_of(net, task, row);
        const long rows = b.rows, at_row = b.at_row;
        if (delta_0) delta[0] = delta_0 + at_row * net->size[1];
        deltas(net, &b, u, turned, delta, 0);
        for (long l = 0; l < depth; l++) {
            const long k = net->size[l], wide = net->wide[l + 1];
            product_transposed(net->hidden[l] + at_row * k, k, delta[l], wide, rows, k, wide, weight[l], wide,
                               next_inputs(net, l, &b));
            add_columns(bias[l], delta[l], wide, rows);
        }
    }
    put(net, task, weight, bias, to_weight, to_bias);
}

/* z dot of a layer's output along the way: from x or h, and, but for the first layer, from h dot (moved). */
INLINE void push_layer(const Net *net, long l, const float *h, const float *way, const float *moved, const float *w,
                       float *pushed, const Block *b) {
    const long rows = b->rows, k = net->size[l], wide = net->wide[l + 1];
    affine(h, k, way, k, wide, pushed, rows, next_inputs(net, l, b));
    if (l) product(moved, k, w, k, wide, pushed, wide, rows, next_inputs(net, l + 1, b));
}

/* J v, to_out [tasks, rows, outputs], and on the way z dot of the hidden layers but the first, kept [rows, units]. */
INLINE void push(const Net *net, long task, const Layer *along, float *const *kept, float *to_out, float *scratch) {
    const long depth = net->count, outputs = net->size[depth];
    float *free = scratch, *w[MOST], *way[MOST], *pushed[MOST], *moved[MOST];
    for (long l = 0; l < depth; l++) {
        w[l] = l ? pack_layer(net, net->layer, task, l, &free) : NULL; /* what goes into the first layer does not move */
        way[l] = pack_layer(net, along, task, l, &free);
        pushed[l] = take(&free, BLOCK * net->wide[l + 1]);
        moved[l] = take(&free, BLOCK * net->wide[l + 1]); /* h dot, of what goes into layer l + 1 */
    }
    for (long row = 0; row < net->rows; row += BLOCK) {
        const Block b = block_of(net, task, row);
        const long rows = b.rows, at_row = b.at_row;
        for (long l = 0; l < depth; l++) {
            const long n = net->size[l + 1];
            float *to = l && l + 1 < depth ? kept[l] + at_row * n : pushed[l];
            push_layer(net, l, net->hidden[l] + at_row * net->size[l], way[l], l ? moved[l - 1] : NULL, w[l], to, &b);
            if (l + 1 < depth) move(moved[l], to, net->hidden[l + 1] + at_row * n, rows * n);
        }
        copy_rows(to_out + at_row * outputs, outputs, pushed[depth - 1], net->wide[depth], outputs, rows);
    }
}

/* The derivative of u^T J v + last^T (outputs) by the weights and biases, u and v held; delta_0 as `pull` and kept as
`push` left it. */
INLINE void bend(const Net *net, long task, const float *u, float *delta_0, const Layer *along, float *const *kept,
                 const float *last, float *const *to_weight, float *const *to_bias, float *scratch) {
    const long depth = net->count;
    float *free = scratch, *way, *turned[MOST], *way_turned[MOST], *weight[MOST], *bias[MOST];
    float *delta[MOST], *first, *moved[MOST], *back, *bent;
    turn(net, net->layer, task, &free, turned);
    turn(net, along, task, &free, way_turned);
    sums_of(net, &free, weight, bias);
    way = pack_layer(net, along, task, 0, &free);
    first = take(&free, BLOCK * net->wide[1]); /* z dot of the first layer */
    long widest = 0;
    for (long l = 0; l < depth; l++) {
        delta[l] = take(&free, BLOCK * net->wide[l + 1]);
        moved[l] = take(&free, BLOCK * net->wide[l + 1]);
        widest = net->wide[l + 1] > widest ? net->wide[l + 1] : widest;
    }
    back = take(&free, BLOCK * widest);
    bent = take(&free, BLOCK * widest); /* delta dot */
    for (long row = 0; row < net->rows; row += BLOCK) {
        const Block b = block_of(net, task, row);
        const long rows = b.rows, at_row = b.at_row;
        if (delta_0) delta[0] = delta_0 + at_row * net->size[1];
        deltas(net, &b, u, turned, delta, delta_0 != NULL);
        push_layer(net, 0, net->hidden[0] + at_row * net->size[0], way, NULL, NULL, first, &b);
        for (long l = depth - 1; l >= 0; l--) {
            const long k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
            const float *h = net->hidden[l] + at_row * k;
            if (l + 1 == depth)
                widen(bent, wide, last + at_row * n, n, rows);
            else
                bend_layer(bent, back, net->hidden[l + 1] + at_row * n, delta[l], l ? kept[l] + at_row * n : first,
                           rows * n);
            product_transposed(h, k, bent, wide, rows, k, wide, weight[l], wide, next_inputs(net, l, &b));
            add_columns(bias[l], bent, wide, rows);
            if (!l) break;
            move(moved[l - 1], l > 1 ? kept[l - 1] + at_row * k : first, h, rows * k);
            product_transposed(moved[l - 1], k, delta[l], wide, rows, k, wide, weight[l], wide,
                               next_inputs(net, l + 1, &b));
            affine(delta[l], wide, way_turned[l], n, k, back, rows,
                   l + 1 < depth ? next_rows(kept[l], n, &b) : NOTHING);
            product(bent, wide, turned[l], n, k, back, k, rows, l == 1 ? next_rows(delta_0, k, &b) : NOTHING);
        }
    }
    put(net, task, weight, bias, to_weight, to_bias);
}

/* Floats that any of the passes takes. */
static size_t scratch_of(const Net *net) {
    size_t count = 0, widest = 0;
    for (long l = 0; l < net->count; l++) {
        const size_t k = net->size[l], n = net->size[l + 1], wide = net->wide[l + 1];
        count += 2 * (n + 1) * k + 3 * (k + 1) * wide + 3 * BLOCK * wide;
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
WITH_FMA static void pull_fma(const Net *net, long task, const float *u, float *delta_0, float *const *to_weight,
                              float *const *to_bias, float *scratch) {
    pull(net, task, u, delta_0, to_weight, to_bias, scratch);
}
static void pull_plain(const Net *net, long task, const float *u, float *delta_0, float *const *to_weight,
                       float *const *to_bias, float *scratch) {
    pull(net, task, u, delta_0, to_weight, to_bias, scratch);
}
WITH_FMA static void push_fma(const Net *net, long task, const Layer *along, float *const *kept, float *to_out,
                              float *scratch) {
    push(net, task, along, kept, to_out, scratch);
}
static void push_plain(const Net *net, long task, const Layer *along, float *const *kept, float *to_out,
                       float *scratch) {
    push(net, task, along, kept, to_out, scratch);
}
WITH_FMA static void bend_fma(const Net *net, long task, const float *u, float *delta_0, const Layer *along,
                              float *const *kept, const float *last, float *const *to_weight, float *const *to_bias,
                              float *scratch) {
    bend(net, task, u, delta_0, along, kept, last, to_weight, to_bias, scratch);
}
static void bend_plain(const Net *net, long task, const float *u, float *delta_0, const Layer *along,
                       float *const *kept, const float *last, float *const *to_weight, float *const *to_bias,
                       float *scratch) {
    bend(net, task, u, delta_0, along, kept, last, to_weight, to_bias, scratch);
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

/* Addresses of what `push` keeps: of the layers between the first and the last. */
static int kept_from(PyObject *tuple, const Net *net, float **kept) {
    long given[MOST];
    const long count = net->count > 2 ? net->count - 2 : 0;
    if (!numbers(tuple, count, given)) return 0;
    for (long l = 0; l < count; l++) kept[l + 1] = (float *)given[l];
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
    Py_ssize_t rows, tasks, threads, u, delta_0;
    Net net;
    float *weight[MOST], *bias[MOST];
    if (!PyArg_ParseTuple(args, "OnOOnnnnO", &sizes, &rows, &hidden, &layers, &tasks, &threads, &u, &delta_0,
                          &to) ||
        !net_from(sizes, rows, hidden, layers, &net) || !places_from(to, net.count, weight, bias))
        return NULL;
    const size_t own = scratch_of(&net);
    float *scratch = malloc(threads * own * sizeof(float));
    if (!scratch) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_TASKS((has_fma() ? pull_fma : pull_plain)(&net, task, (const float *)u, (float *)delta_0, weight, bias,
                                                      MINE));
    Py_END_ALLOW_THREADS
    free(scratch);
    Py_RETURN_NONE;
}

static PyObject *py_push(PyObject *self, PyObject *args) {
    PyObject *sizes, *hidden, *layers, *ways, *keep;
    Py_ssize_t rows, tasks, threads, out;
    Net net;
    Layer along[MOST];
    float *kept[MOST];
    if (!PyArg_ParseTuple(args, "OnOOnnOOn", &sizes, &rows, &hidden, &layers, &tasks, &threads, &ways, &keep, &out) ||
        !net_from(sizes, rows, hidden, layers, &net) || !layers_from(ways, net.count, along) ||
        !kept_from(keep, &net, kept))
        return NULL;
    const size_t own = scratch_of(&net);
    float *scratch = malloc(threads * own * sizeof(float));
    if (!scratch) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_TASKS((has_fma() ? push_fma : push_plain)(&net, task, along, kept, (float *)out, MINE));
    Py_END_ALLOW_THREADS
    free(scratch);
    Py_RETURN_NONE;
}

static PyObject *py_bend(PyObject *self, PyObject *args) {
    PyObject *sizes, *hidden, *layers, *ways, *keep, *to;
    Py_ssize_t rows, tasks, threads, u, delta_0, last;
    Net net;
    Layer along[MOST];
    float *kept[MOST], *weight[MOST], *bias[MOST];
    if (!PyArg_ParseTuple(args, "OnOOnnnnOOnO", &sizes, &rows, &hidden, &layers, &tasks, &threads, &u, &delta_0,
                          &ways, &keep, &last, &to) ||
        !net_from(sizes, rows, hidden, layers, &net) || !layers_from(ways, net.count, along) ||
        !kept_from(keep, &net, kept) || !places_from(to, net.count, weight, bias))
        return NULL;
    const size_t own = scratch_of(&net);
    float *scratch = malloc(threads * own * sizeof(float));
    if (!scratch) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    FOR_ALL_TASKS((has_fma() ? bend_fma : bend_plain)(&net, task, (const float *)u, (float *)delta_0, along, kept,
                                                      (const float *)last, weight, bias, MINE));
    Py_END_ALLOW_THREADS
    free(scratch);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", py_run, METH_VARARGS, "run(sizes, rows, hidden, layers, tasks, threads, out)"},
    {"pull", py_pull, METH_VARARGS, "pull(sizes, rows, hidden, layers, tasks, threads, u, delta_0, to)"},
    {"push", py_push, METH_VARARGS, "push(sizes, rows, hidden, layers, tasks, threads, along, kept, out)"},
    {"bend", py_bend, METH_VARARGS,
     "bend(sizes, rows, hidden, layers, tasks, threads, u, delta_0, along, kept, last, to)"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tanh_loops", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_tanh_loops(void) {
    PyObject *made = PyModule_Create(&module);
    if (made && (PyModule_AddIntMacro(made, LANES) || PyModule_AddIntMacro(made, MOST) ||
                 PyModule_AddIntMacro(made, PASSES_2)))
        Py_CLEAR(made);
    return made;
}
