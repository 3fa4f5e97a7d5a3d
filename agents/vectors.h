/* Vectors of eight floats, and products of matrices that are too small for a library's call.

A product keeps 4 rows x 24 columns in registers, or 6 x 16, or 12 x 8; weights are packed so that it reads them in
order. Every number is summed in the same order whatever the number of rows. All arrays are float32.
*/
#include <string.h>

#define LANES 8
#define WIDEST 3 /* vectors of columns in a tile */
#define HEIGHT(c) ((c) == 3 ? 4 : (c) == 2 ? 6 : 12) /* rows of a tile so wide: its sums fill the registers */
#define HIGHEST 12

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int Integers __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE Vector *at(float *p) { return (Vector *)p; }
INLINE const Vector *from(const float *p) { return (const Vector *)p; }

INLINE Vector pick(Integers mask, Vector yes, Vector no) {
    return (Vector)((mask & (Integers)yes) | (~mask & (Integers)no));
}

/* 1 / (1 + exp(-x)), exp by Cody and Waite's reduction and Taylor's polynomial on [-ln 2 / 2, ln 2 / 2]. */
INLINE Vector sigmoid(Vector x) {
    const Vector most = {87, 87, 87, 87, 87, 87, 87, 87};
    const float rounder = 12582912.0f; /* 1.5 x 2^23: adding it rounds to a whole number */
    Vector y = -x;
    y = pick(y > most, most, y); /* NaN stays */
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

/* How many vectors wide the next tile is, with `left` to go: threes, but no lone one where twos do. */
INLINE long width(long left) { return left == 4 || left < WIDEST ? (left < 2 ? left : 2) : WIDEST; }

/* Weights [k, n] in the order in which tiles read them, n filled up with zeros to `wide`, a multiple of 8. */
static void pack(const float *w, long k, long n, long wide, float *packed) {
    for (long v = 0, c; v < wide / LANES; v += c) {
        c = width(wide / LANES - v);
        const long first = v * LANES, count = n - first < c * LANES ? n - first : c * LANES;
        for (long i = 0; i < k; i++, packed += c * LANES) {
            memcpy(packed, w + i * n + first, count * sizeof(float));
            memset(packed + count, 0, (c * LANES - count) * sizeof(float));
        }
    }
}

/* Numbers from `next` on that will be wanted soon. Each tile fetches a few cache lines of them, which arrive while it
multiplies; all at once would wait for one another. */
typedef struct {
    const float *next, *end;
} Ahead;
#define NOTHING (Ahead){NULL, NULL}
#define LINE 16 /* numbers */
#define LINES 6 /* of a tile */

INLINE void fetch(Ahead *ahead) {
    if (ahead->next >= ahead->end) return;
    for (int i = 0; i < LINES; i++) __builtin_prefetch(ahead->next + i * LINE, 0, 2);
    ahead->next += LINES * LINE;
}

/* out[rows, c vectors] = start[rows, c vectors] + a[rows, k] w[k, c vectors], for a tile that fits into registers. */
INLINE void tile(const int rows, const int c, const float *a, long a_row, long a_column, const float *w, long w_row,
                 long k, const float *start, long start_row, float *out, long out_row) {
    Vector sums[HIGHEST][WIDEST];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int j = 0; j < c; j++) sums[i][j] = from(start + i * start_row)[j];
    for (long l = 0; l < k; l++, w += w_row) {
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
            for (int j = 0; j < c; j++) sums[i][j] += a[i * a_row + l * a_column] * from(w)[j];
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int j = 0; j < c; j++) at(out + i * out_row)[j] = sums[i][j];
}

/* The same for c vectors of columns and any number of rows. */
INLINE void tiles(const int c, const float *a, long a_row, long a_column, const float *w, long w_row, long k,
                  const float *start, long start_row, float *out, long out_row, long rows, Ahead *ahead) {
#define TILE(high) \
    tile(high, c, a + i * a_row, a_row, a_column, w, w_row, k, start + i * start_row, start_row, out + i * out_row, \
         out_row), fetch(ahead)
    long i = 0;
    for (; i + HEIGHT(c) <= rows; i += HEIGHT(c)) TILE(HEIGHT(c));
    for (; i + 4 <= rows; i += 4) TILE(4);
    for (; i + 2 <= rows; i += 2) TILE(2);
    if (i < rows) TILE(1);
#undef TILE
}

/* out[rows, n] = start[rows, n] + a[rows, k] w[k, n], w packed; start_row 0: one row for all. */
INLINE void product_from(const float *start, long start_row, const float *a, long a_row, const float *w, long k, long n,
                         float *out, long out_row, long rows, Ahead ahead) {
    for (long v = 0, c; v < n / LANES; v += c, w += k * c * LANES) {
        c = width(n / LANES - v);
        const float *s = start + v * LANES;
        float *o = out + v * LANES;
        if (c == 3) tiles(3, a, a_row, 1, w, 3 * LANES, k, s, start_row, o, out_row, rows, &ahead);
        else if (c == 2) tiles(2, a, a_row, 1, w, 2 * LANES, k, s, start_row, o, out_row, rows, &ahead);
        else tiles(1, a, a_row, 1, w, LANES, k, s, start_row, o, out_row, rows, &ahead);
    }
}

/* out[rows, n] += a[rows, k] w[k, n], w packed. */
INLINE void product(const float *a, long a_row, const float *w, long k, long n, float *out, long out_row, long rows,
                    Ahead ahead) {
    product_from(out, out_row, a, a_row, w, k, n, out, out_row, rows, ahead);
}

/* out[m, n] += the transpose of a[k, m] times b[k, n]; n a multiple of 8. */
INLINE void product_transposed(const float *a, long a_row, const float *b, long b_row, long k, long m, long n,
                               float *out, long out_row, Ahead ahead) {
    for (long v = 0, c; v < n / LANES; v += c, b += c * LANES) {
        c = width(n / LANES - v);
        float *o = out + v * LANES;
        if (c == 3) tiles(3, a, 1, a_row, b, b_row, k, o, out_row, o, out_row, m, &ahead);
        else if (c == 2) tiles(2, a, 1, a_row, b, b_row, k, o, out_row, o, out_row, m, &ahead);
        else tiles(1, a, 1, a_row, b, b_row, k, o, out_row, o, out_row, m, &ahead);
    }
}

/* The same lines are compiled twice, and the processor decides: with fused multiply-adds, or as it comes. */
#if defined(__x86_64__)
#define WITH_FMA __attribute__((target("avx2,fma")))
static int has_fma(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define WITH_FMA
static int has_fma(void) { return 0; }
#endif
