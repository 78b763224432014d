// A product by two groups of four warps, each with the instructions that take both operands from shared memory
// (wgmma, compute capability 9.0 alone). A block computes 128 x 256, a group 64 x 256 of it; a step is 16 numbers of the
// inner dimension, which is one instruction a group. Copies run two steps ahead: of four stages one is read by the
// step that runs, one perhaps by the step before, which the other group may not have ended.

#define A_BYTES (BM * BK * 2)
#define STAGE_BYTES ((BM + BN) * BK * 2)

// Where 16 bytes of an operand lie. Along the inner dimension a line has two of them, 32 bytes that are turned in eights
// of lines; otherwise a line has 64 numbers of M or N, panels of 16 lines follow each other.
template <int CHUNKS>
__device__ __forceinline__ unsigned place(unsigned line, unsigned chunk) {
    return CHUNKS == 2 ? line * 32 + ((chunk ^ (line >> 2 & 1)) << 4)
                 : (chunk >> 3) * 2048 + line * 128 + ((chunk & 7 ^ line & 7) << 4);
}

// What an instruction is told of a tile: where it begins, the bytes between panels and between eight lines, in units of
// 16 bytes, and how lines are turned.
template <bool INNER>
__device__ __forceinline__ unsigned long long descriptor(unsigned tile) {
    unsigned long long leading = INNER ? 1 : 2048 / 16, stride = INNER ? 256 / 16 : 1024 / 16, turned = INNER ? 3 : 1;
    return (unsigned long long)(tile >> 4 & 0x3FFF) | leading << 16 | stride << 32 | turned << 62;
}

__device__ __forceinline__ void multiply(float (&sums)[128], unsigned long long a, unsigned long long b) {
    asm volatile("{ .reg .pred added; setp.eq.u32 added, 0, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32." TYPE "." TYPE " {" SUMS "}, %128, %129, added, 1, 1, "
                 TURN_A ", " TURN_B "; }"
                 : SUMS_OUT
                 : "l"(a), "l"(b));
}

// Sums stay in their registers up to here: instructions write them while the program goes on.
__device__ __forceinline__ void pin(float (&sums)[128]) {
#pragma unroll
    for (int i = 0; i < 128; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    NAME(const Half* __restrict__ a, const Half* __restrict__ b, Out* __restrict__ out, float* parts, unsigned* tickets,
         const __grid_constant__ Sizes sizes) {
    __shared__ __align__(1024) unsigned char tiles[STAGES * STAGE_BYTES];
    unsigned m = sizes.m, n = sizes.n, inner = sizes.k, splits = sizes.splits, tile_row, tile_column;
    tile_of(blockIdx.x, (m + BM - 1) / BM, (n + BN - 1) / BN, tile_row, tile_column);
    unsigned first_row = tile_row * BM, first_column = tile_column * BN;
    unsigned steps = (inner + BK - 1) / BK;
    unsigned begin = (unsigned long long)steps * blockIdx.y / splits, end = (unsigned long long)steps * (blockIdx.y + 1) / splits;
    unsigned base = shared_address(tiles), group = threadIdx.x / 128;
    Operand<BM, A_INNER> left(a, sizes.a_stride, first_row, m, begin * BK);
    Operand<BN, B_INNER> right(b, sizes.b_stride, first_column, n, begin * BK);
    auto fetch = [&](unsigned at) {
        if (at < end) {
            unsigned stage = base + (at - begin) % STAGES * STAGE_BYTES;
            left.fetch(stage, inner);
            right.fetch(stage + A_BYTES, inner);
        }
        commit();
    };
    fetch(begin);
    fetch(begin + 1);
    float sums[128];
#pragma unroll
    for (int i = 0; i < 128; i++) sums[i] = 0;
    pin(sums);
#pragma unroll 1
    for (unsigned at = begin; at < end; at++) {
        wait<1>();
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); // what was copied, for the instructions that read it
        __syncthreads();
        unsigned stage = base + (at - begin) % STAGES * STAGE_BYTES;
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
        multiply(sums, descriptor<A_INNER>(stage + group * 2048), descriptor<B_INNER>(stage + A_BYTES));
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        fetch(at + 2);
        asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    pin(sums);
    wait<0>();
    __syncthreads();
    if (!join<128>(sums, parts, tickets, (unsigned*)tiles, splits)) return;
    unsigned row = first_row + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned r = row + 8 * half;
        Out* to = out + (size_t)r * n;
#pragma unroll
        for (int j = 0; j < 32; j += 2)
            store(to, r < m, first_column + 8 * j, n, sums + 4 * j + 2 * half, sums + 4 * (j + 1) + 2 * half);
    }
}
