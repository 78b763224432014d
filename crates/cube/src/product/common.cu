// What both kernels of products share. Above this text stand, as macros: the tile of a block (BM, BN), the step along the
// inner dimension (BK), the stages of copies (STAGES), warps of a block (WARPS) and
// blocks of a processor (RESIDENT), whether the inner dimension is the one along which an operand
// lies in memory (A_INNER, B_INNER), whether the result is stored in f32 (OUT_F32), whether there are two right matrices
// (GATED), and the kernel's name (NAME).

#if OUT_F32
typedef float Out;
#else
typedef Half Out;
#endif

struct Sizes {
    unsigned long long m, n, k; // of the result, and the inner dimension
    unsigned long long a_stride, b_stride; // numbers from one line of an operand to the next
    unsigned long long splits; // parts of the inner dimension
};

#define THREADS (WARPS * 32)

// Where 16 bytes of a line of so many times 16 lie in a tile in shared memory.
template <int CHUNKS>
__device__ __forceinline__ unsigned place(unsigned line, unsigned chunk);

// A thread's copies of one operand: of tiles of SIDE lines of BK numbers (INNER), or of BK lines of SIDE.
template <int SIDE, bool INNER>
struct Operand {
    static constexpr int CHUNKS = (INNER ? BK : SIDE) / 8, ALL = CHUNKS * (INNER ? SIDE : BK);
    static constexpr int COUNT = (ALL + THREADS - 1) / THREADS;
    static constexpr unsigned OUTSIDE = 1u << 31;
    const Half *begin, *from[COUNT];
    unsigned to[COUNT], at[COUNT]; // where the next copy goes in a stage, and where it is along the inner dimension
    size_t step;

    // Where there is another matrix, eights of lines are of either in turn.
    __device__ __forceinline__ Operand(const Half* matrix, size_t stride, unsigned first, unsigned side, unsigned start,
                                       const Half* other = nullptr)
        : begin(matrix), step(INNER ? BK : BK * stride) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            unsigned index = threadIdx.x + i * THREADS, line = index / CHUNKS, chunk = index % CHUNKS;
            unsigned across = first + (INNER ? line : 8 * chunk), along = start + (INNER ? 8 * chunk : line);
            to[i] = place<CHUNKS>(line, chunk);
            at[i] = across < side ? along : OUTSIDE;
            const Half* of = matrix;
            if (other) {
                if (across / 8 % 2) of = other;
                across = across / 16 * 8 + across % 8;
            }
            from[i] = of + (INNER ? across * stride + along : along * stride + across);
        }
    }

    // Begins to copy the next tile to a stage. What is outside of the matrix is zero.
    __device__ __forceinline__ void fetch(unsigned stage, unsigned inner) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            if (ALL % THREADS != 0 && threadIdx.x + i * THREADS >= ALL) break;
            bool there = at[i] < inner;
            copy(stage + to[i], there ? from[i] : begin, there);
            from[i] += step;
            at[i] += BK;
        }
    }
};

// Which tile a block computes. Neighbours share rows of tiles, eight at a time, so that what they read is in the second
// cache.
__device__ __forceinline__ void tile_of(unsigned block, unsigned rows, unsigned columns, unsigned& row, unsigned& column) {
    unsigned band = block / (8 * columns), within = block % (8 * columns);
    unsigned high = min(rows - 8 * band, 8u);
    row = 8 * band + within % high;
    column = within / high;
}

// Adds up the parts of a tile where the inner dimension is split: each block leaves its sums in memory, and the one that
// is last adds them in the order of the parts, whichever it is. Returns whether this block goes on to write the result.
// `flag` is shared memory that nobody reads any more.
template <int COUNT>
__device__ __forceinline__ bool join(float* sums, float* parts, unsigned* tickets, unsigned* flag, unsigned splits) {
    if (splits == 1) return true;
    unsigned tile = blockIdx.x, tiles = gridDim.x;
    size_t step = (size_t)tiles * COUNT * THREADS;
    float* first = parts + (size_t)tile * COUNT * THREADS + threadIdx.x;
    float* mine = first + blockIdx.y * step;
#pragma unroll
    for (int i = 0; i < COUNT; i++) mine[i * THREADS] = sums[i];
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned before = atomicAdd(tickets + tile, 1);
        if (before == splits - 1) tickets[tile] = 0; // as it was found, for the next product
        *flag = before;
    }
    __syncthreads();
    if (*flag != splits - 1) return false;
    __threadfence();
#pragma unroll
    for (int i = 0; i < COUNT; i++) sums[i] = 0;
#pragma unroll(COUNT <= 8 ? 4 : COUNT <= 32 ? 2 : 1)
    for (unsigned part = 0; part < splits; part++, first += step)
#pragma unroll
        for (int i = 0; i < COUNT; i++) sums[i] += __ldcg(first + i * THREADS);
    return true;
}
