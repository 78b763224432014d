// What attention's three kernels share. Above this text stand, as macros: numbers of a head (DIM, a multiple of 64), query
// heads and key-value heads (QUERY_HEADS, KV_HEADS), lines of the tile that is kept and of those that pass (KEPT,
// PASSING), and blocks of a processor (RESIDENT).

#define GROUP (QUERY_HEADS / KV_HEADS)
#define CHUNKS (DIM / 8)
#define THREADS (WARPS * 32)
#define LOG2E 1.4426950408889634f

struct Scale {
    unsigned long long bits; // of the factor of scores, f32
    unsigned long long shared; // blocks that several sequences share: of those over the cache
};

__device__ __forceinline__ float factor(const Scale& scale) { return __uint_as_float((unsigned)scale.bits); }

__device__ __forceinline__ float power_of_two(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// Where 16 bytes of a line lie: turned by the line, so that eight lines' lie in different banks.
__device__ __forceinline__ unsigned place(unsigned line, unsigned chunk) {
    return (line * CHUNKS + (chunk ^ (line & 7))) * 16;
}

// Rows of the query heads that share a key-value head: of each token, GROUP side by side.
struct Queries {
    unsigned start, rows, head; // first token, rows of all tokens, first head

    // Where a row begins, in numbers.
    __device__ __forceinline__ size_t at(unsigned row) const {
        return ((size_t)(start + row / GROUP) * QUERY_HEADS + head + row % GROUP) * DIM;
    }
    // Where what is kept of each token and head is.
    __device__ __forceinline__ size_t index(unsigned row) const {
        return (size_t)(start + row / GROUP) * QUERY_HEADS + head + row % GROUP;
    }
};

// Keys of a head: those of a prefix, then those of a run of its own.
struct Keys {
    unsigned prefix_start, prefix, own_start, rows, head;

    __device__ __forceinline__ size_t at(unsigned key) const {
        unsigned row = key < prefix ? prefix_start + key : own_start + key - prefix;
        return ((size_t)row * KV_HEADS + head) * DIM;
    }
};

// Begins to copy LINES lines, from `first` on, which is there, to a tile; zeros beyond the last.
template <int LINES, typename Rows>
__device__ __forceinline__ void fetch(unsigned tile, const Half* from, const Rows& rows, unsigned first) {
#pragma unroll
    for (int i = 0; i < (LINES * CHUNKS + THREADS - 1) / THREADS; i++) {
        unsigned index = threadIdx.x + i * THREADS, line = index / CHUNKS, chunk = index % CHUNKS;
        if (LINES * CHUNKS % THREADS != 0 && index >= LINES * CHUNKS) break;
        bool there = first + line < rows.rows;
        copy(tile + place(line, chunk), from + rows.at(first + (there ? line : 0)) + 8 * chunk, there);
    }
}

// 16 lines of a tile, from `line` on, as the left operand of products along the heads' numbers.
__device__ __forceinline__ void left_lines(unsigned (&to)[DIM / 16][4], unsigned tile, unsigned line) {
    unsigned matrix = threadIdx.x % 32 / 8, row = line + matrix % 2 * 8 + threadIdx.x % 8;
#pragma unroll
    for (int k = 0; k < DIM / 16; k++) fragments<false>(to[k], tile + place(row, 2 * k + matrix / 2));
}

// The lines that a block keeps, 16 a warp, by way of a tile, which is free again then.
template <typename Rows>
__device__ __forceinline__ void keep(unsigned (&to)[DIM / 16][4], unsigned tile, const Half* from, const Rows& rows) {
    fetch<KEPT>(tile, from, rows, 0);
    commit();
    wait<0>();
    __syncthreads();
    left_lines(to, tile, threadIdx.x / 32 * 16);
    __syncthreads();
}

// Products of 16 lines with COUNT lines of a tile, along the heads' numbers.
template <int COUNT>
__device__ __forceinline__ void products(float (&sums)[COUNT / 8][4], const unsigned (&left)[DIM / 16][4], unsigned tile) {
    unsigned matrix = threadIdx.x % 32 / 8, line = matrix / 2 * 8 + threadIdx.x % 8;
#pragma unroll
    for (int n = 0; n < COUNT / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) sums[n][e] = 0;
#pragma unroll
    for (int k = 0; k < DIM / 16; k++)
#pragma unroll
        for (int n = 0; n < COUNT / 16; n++) {
            unsigned right[4];
            fragments<false>(right, tile + place(16 * n + line, 2 * k + matrix % 2));
            multiply(sums[2 * n], left[k], right);
            multiply(sums[2 * n + 1], left[k], right + 2);
        }
}

// Sums of a tile's COUNT lines, weighted by numbers of 16 lines that products left in a warp's registers.
template <int COUNT>
__device__ __forceinline__ void add_lines(float (&sums)[DIM / 8][4], const float (&weights)[COUNT / 8][4], unsigned tile) {
    unsigned matrix = threadIdx.x % 32 / 8, line = matrix % 2 * 8 + threadIdx.x % 8;
#pragma unroll
    for (int k = 0; k < COUNT / 16; k++) {
        const float *first = weights[2 * k], *second = weights[2 * k + 1];
        unsigned left[4] = {pair(first[0], first[1]), pair(first[2], first[3]), pair(second[0], second[1]),
                            pair(second[2], second[3])};
#pragma unroll
        for (int n = 0; n < DIM / 16; n++) {
            unsigned right[4];
            fragments<true>(right, tile + place(16 * k + line, 2 * n + matrix / 2));
            multiply(sums[2 * n], left, right);
            multiply(sums[2 * n + 1], left, right + 2);
        }
    }
}

// A number of each of the two rows that a lane has, over the four lanes that share them.
__device__ __forceinline__ float over_row(float x, bool largest) {
#pragma unroll
    for (int step = 1; step < 4; step *= 2) {
        float other = __shfl_xor_sync(0xFFFFFFFF, x, step);
        x = largest ? fmaxf(x, other) : x + other;
    }
    return x;
}

// Makes the scores of a tile, whose first key is `first`, weights relative to the highest score so far of each of a lane's two
// rows, and what was summed before relative to it too. A row sees keys up to its `visible`; all of the tile where it is
// `whole`.
template <int COUNT>
__device__ __forceinline__ void weigh(float (&scores)[COUNT / 8][4], float (&sums)[DIM / 8][4], float (&top)[2], float (&total)[2],
                                      unsigned first, const unsigned (&visible)[2], bool whole, float step) {
    unsigned column = first + threadIdx.x % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float highest = top[half];
#pragma unroll
        for (int n = 0; n < COUNT / 8; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                bool sees = whole || column + 8 * n + e % 2 < visible[half];
                scores[n][e] = sees ? scores[n][e] * step : -1e30f;
                highest = fmaxf(highest, scores[n][e]);
            }
        highest = over_row(highest, true);
        float kept = power_of_two(top[half] - highest);
        top[half] = highest;
        total[half] *= kept;
#pragma unroll
        for (int n = 0; n < COUNT / 8; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                scores[n][e] = power_of_two(scores[n][e] - highest);
                total[half] += scores[n][e];
            }
#pragma unroll
        for (int n = 0; n < DIM / 8; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) sums[n][e] *= kept;
    }
}

// The block of queries of this block of threads, for one key-value head: BLOCK numbers each in `blocks`.
#define BLOCK 6
struct Block {
    Queries queries;
    Keys keys;
    unsigned seen; // of the keys, by the first token

    __device__ __forceinline__ explicit Block(const unsigned* blocks) {
        const unsigned* b = blocks + blockIdx.x / KV_HEADS * BLOCK;
        unsigned head = blockIdx.x % KV_HEADS;
        queries = Queries{b[0], b[1] * GROUP, head * GROUP};
        seen = b[5] + b[3] + 1;
        keys = Keys{b[4], b[5], b[2], seen + b[1] - 1, head};
    }
};
