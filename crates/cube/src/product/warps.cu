// A product by warps, each with the tensor cores' instructions of its own (mma.sync, from compute capability 8.0 on). A
// warp computes WM x WN of the block's tile. Copies run STAGES - 1 steps ahead.

#define A_BYTES (BM * BK * 2)
#define STAGE_BYTES ((BM + BN) * BK * 2)

// Where 16 bytes of a line lie: turned by the line, so that eight lines' lie in different banks.
template <int CHUNKS>
__device__ __forceinline__ unsigned place(unsigned line, unsigned chunk) {
    unsigned turned = chunk ^ (CHUNKS == 4 ? line >> 1 & 3 : line & 7);
    return (line * CHUNKS + turned) * 16;
}

// A step of BK of the warp's tile.
__device__ __forceinline__ void step(float (&sums)[WM / 16][WN / 8][4], unsigned a_tile, unsigned b_tile, unsigned row,
                                     unsigned column) {
    unsigned matrix = threadIdx.x % 32 / 8, line = threadIdx.x % 8;
#pragma unroll
    for (int k = 0; k < BK / 16; k++) {
        unsigned a[WM / 16][4], b[WN / 16][4];
#pragma unroll
        for (int i = 0; i < WM / 16; i++) {
            unsigned m = row + 16 * i;
            if (A_INNER)
                fragments<false>(a[i], a_tile + place<BK / 8>(m + matrix % 2 * 8 + line, 2 * k + matrix / 2));
            else
                fragments<true>(a[i], a_tile + place<BM / 8>(16 * k + matrix / 2 * 8 + line, m / 8 + matrix % 2));
        }
#pragma unroll
        for (int j = 0; j < WN / 16; j++) {
            unsigned n = column + 16 * j;
            if (B_INNER)
                fragments<false>(b[j], b_tile + place<BK / 8>(n + matrix / 2 * 8 + line, 2 * k + matrix % 2));
            else
                fragments<true>(b[j], b_tile + place<BN / 8>(16 * k + matrix % 2 * 8 + line, n / 8 + matrix / 2));
        }
#pragma unroll
        for (int i = 0; i < WM / 16; i++)
#pragma unroll
            for (int j = 0; j < WN / 8; j++) multiply(sums[i][j], a[i], b[j / 2] + j % 2 * 2);
    }
}

#if GATED
// A number as it is stored.
__device__ __forceinline__ float stored(float x) {
    float back;
    asm("{ .reg .b16 half; cvt.rn." TYPE ".f32 half, %1; cvt.f32." TYPE " %0, half; }" : "=f"(back) : "f"(x));
    return back;
}

// silu(gate) * up, of two columns.
__device__ __forceinline__ void gate(Half* to, bool there, const float* gates, const float* ups) {
    float out[2];
#pragma unroll
    for (int e = 0; e < 2; e++) {
        float x = stored(gates[e]);
        out[e] = x / (1 + expf(-x)) * stored(ups[e]);
    }
    asm volatile("{ .reg .pred there; setp.ne.u32 there, %0, 0; @there st.global.b32 [%1], %2; }" ::"r"((unsigned)there),
                 "l"(to), "r"(pair(out[0], out[1]))
                 : "memory");
}
#endif

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    NAME(const Half* __restrict__ a, const Half* __restrict__ b,
#if GATED
         const Half* __restrict__ up,
#endif
         Out* __restrict__ out, float* parts, unsigned* tickets,
         const __grid_constant__ Sizes sizes) {
    __shared__ __align__(1024) unsigned char tiles[STAGES * STAGE_BYTES];
    unsigned m = sizes.m, n = sizes.n, inner = sizes.k, splits = sizes.splits, tile_row, tile_column;
    tile_of(blockIdx.x, (m + BM - 1) / BM, (n + BN - 1) / BN, tile_row, tile_column);
    unsigned first_row = tile_row * BM, first_column = tile_column * BN;
    unsigned steps = (inner + BK - 1) / BK;
    unsigned begin = (unsigned long long)steps * blockIdx.y / splits, end = (unsigned long long)steps * (blockIdx.y + 1) / splits;
    unsigned base = shared_address(tiles);
    Operand<BM, A_INNER> left(a, sizes.a_stride, first_row, m, begin * BK);
#if GATED
    Operand<BN, B_INNER> right(b, sizes.b_stride, first_column, n, begin * BK, up);
#else
    Operand<BN, B_INNER> right(b, sizes.b_stride, first_column, n, begin * BK);
#endif
    auto fetch = [&](unsigned at) {
        if (at < end) {
            unsigned stage = base + (at - begin) % STAGES * STAGE_BYTES;
            left.fetch(stage, inner);
            right.fetch(stage + A_BYTES, inner);
        }
        commit();
    };
    for (int i = 0; i < STAGES - 1; i++) fetch(begin + i);
    unsigned warp = threadIdx.x / 32, row = warp / (BN / WN) * WM, column = warp % (BN / WN) * WN;
    float sums[WM / 16][WN / 8][4] = {};
#pragma unroll 1
    for (unsigned at = begin; at < end; at++) {
        wait<STAGES - 2>();
        __syncthreads(); // everyone's copies are there, and everyone has left the stage that is written next
        fetch(at + STAGES - 1);
        unsigned stage = base + (at - begin) % STAGES * STAGE_BYTES;
        step(sums, stage, stage + A_BYTES, row, column);
    }
    wait<0>();
    __syncthreads();
    if (!join<WM * WN / 32>(&sums[0][0][0], parts, tickets, (unsigned*)tiles, splits)) return;
    unsigned lane = threadIdx.x % 32 / 4;
#pragma unroll
    for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            unsigned r = first_row + row + 16 * i + 8 * half + lane;
#if GATED
            // Of each pair of fragments, the second is multiplied by silu of the first, each rounded as it would be stored.
            Out* to = out + (size_t)r * (n / 2);
#pragma unroll
            for (int j = 0; j < WN / 8; j += 2) {
                unsigned at = first_column + column + 8 * j;
                gate(to + at / 2 + threadIdx.x % 4 * 2, r < m && at < n, sums[i][j] + 2 * half, sums[i][j + 1] + 2 * half);
            }
#else
            Out* to = out + (size_t)r * n;
#pragma unroll
            for (int j = 0; j < WN / 8; j += 2)
                store(to, r < m, first_column + column + 8 * j, n, sums[i][j] + 2 * half, sums[i][j + 1] + 2 * half);
#endif
        }
}
