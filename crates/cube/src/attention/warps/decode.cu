// Attention of new tokens over a part of the cache. A block has up to 16 rows of queries: those of the heads that share a
// key-value head, of sequences that share the part. Its warps go through tiles of 16 cached rows in turn, each with copies of
// its own on their way, and put their results together at the end. Probabilities are multiplied as the sum of two numbers
// of 16 bits, so that they are rounded as f32 nearly are: the time goes to reading the cache.

#define TILE (PASSING * DIM * 2)
#define STAGES 3 // keys and values are a tile each, in turn

struct Part {
    unsigned place, members, start, rows; // first place and places, first row and rows of the cache
};

__device__ __forceinline__ Part part_of(const unsigned* blocks, unsigned index) {
    const unsigned* b = blocks + index * BLOCK;
    return Part{b[0], b[1], b[4], b[5]};
}

// What a number of f32 is beyond its rounding to 16 bits.
__device__ __forceinline__ float rest(float x, unsigned rounded, bool upper) {
    unsigned short half = upper ? rounded >> 16 : rounded & 0xFFFF;
    float back;
    asm("cvt.f32." TYPE " %0, %1;" : "=f"(back) : "h"(half));
    return x - back;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    NAME(const Half* __restrict__ q, const Half* __restrict__ k, const Half* __restrict__ v,
         const unsigned* __restrict__ shared, const unsigned* __restrict__ single, const unsigned* __restrict__ members,
         float* __restrict__ out, float* __restrict__ log_sum, const __grid_constant__ Scale scale) {
    __shared__ __align__(1024) unsigned char tiles[WARPS * STAGES * TILE];
    unsigned index = blockIdx.x / KV_HEADS, head = blockIdx.x % KV_HEADS, of_shared = scale.shared;
    const Part part = index < of_shared ? part_of(shared, index) : part_of(single, index - of_shared);
    if (part.members == 0) return; // a plan that is written over may have more room than parts
    unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32, base = shared_address(tiles) + warp * STAGES * TILE;

    // Items are the warp's tiles of keys and values in turn.
    unsigned all_tiles = (part.rows + PASSING - 1) / PASSING;
    unsigned items = all_tiles > warp ? 2 * ((all_tiles - warp - 1) / WARPS + 1) : 0;
    auto fetch = [&](unsigned item) {
        if (item < items) {
            unsigned first = (warp + item / 2 * WARPS) * PASSING, tile = base + item % STAGES * TILE;
            const Half* from = (item % 2 ? v : k) + ((size_t)(part.start + first) * KV_HEADS + head) * DIM;
#pragma unroll
            for (int i = 0; i < PASSING * CHUNKS / 32; i++) {
                unsigned line = (lane + 32 * i) / CHUNKS, chunk = (lane + 32 * i) % CHUNKS;
                bool there = first + line < part.rows;
                copy(tile + place(line, chunk), from + (size_t)(there ? line : 0) * KV_HEADS * DIM + 8 * chunk, there);
            }
        }
        commit();
    };
    fetch(0);
    fetch(1);

    unsigned left[DIM / 16][4];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned row = lane / 4 + 8 * half;
        bool there = row < part.members * GROUP;
        unsigned sequence = members[part.place + (there ? row / GROUP : 0)];
        const unsigned* from =
            (const unsigned*)(q + ((size_t)sequence * QUERY_HEADS + head * GROUP + row % GROUP) * DIM) + lane % 4;
#pragma unroll
        for (int n = 0; n < DIM / 16; n++) {
            left[n][half] = there ? from[8 * n] : 0;
            left[n][half + 2] = there ? from[8 * n + 4] : 0;
        }
    }
    float top[2] = {-1e30f, -1e30f}, total[2] = {0, 0}, step = factor(scale) * LOG2E, sums[DIM / 8][4] = {};
    float scores[PASSING / 8][4];
    const unsigned visible[2] = {part.rows, part.rows}, column = lane % 4 * 2;
#pragma unroll 1
    for (unsigned item = 0; item < items; item++) {
        wait<1>();
        __syncwarp(); // the warp's copies are there, and all lanes have left the tile that is written next
        fetch(item + 2);
        unsigned tile = base + item % STAGES * TILE;
        if (item % 2 == 0) {
            unsigned first = (warp + item / 2 * WARPS) * PASSING;
            products<PASSING>(scores, left, tile);
            weigh<PASSING>(scores, sums, top, total, first, visible, first + PASSING <= part.rows, step);
        } else {
            float rests[PASSING / 8][4];
#pragma unroll
            for (int n = 0; n < PASSING / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e += 2) {
                    unsigned both = pair(scores[n][e], scores[n][e + 1]);
                    rests[n][e] = rest(scores[n][e], both, false);
                    rests[n][e + 1] = rest(scores[n][e + 1], both, true);
                }
            add_lines<PASSING>(sums, scores, tile);
            add_lines<PASSING>(sums, rests, tile);
        }
    }
    wait<0>();

    // The warps' results, relative to the highest score of all of them, are added in the order of the warps.
    __syncthreads();
    float *highest = (float*)tiles, *weights = highest + WARPS * 16, *parts = weights + WARPS * 16;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned row = lane / 4 + 8 * half;
        float weight = over_row(total[half], false);
        if (lane % 4 == 0) {
            highest[warp * 16 + row] = top[half];
            weights[warp * 16 + row] = weight;
        }
#pragma unroll
        for (int n = 0; n < DIM / 8; n++)
            *(float2*)(parts + ((warp * 16 + row) * DIM + 8 * n + column)) = make_float2(sums[n][2 * half], sums[n][2 * half + 1]);
    }
    __syncthreads();
    for (unsigned at = threadIdx.x; at < part.members * GROUP * DIM; at += THREADS) {
        unsigned row = at / DIM;
        float all = -1e30f, weight = 0, sum = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++) all = fmaxf(all, highest[w * 16 + row]);
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            float kept = power_of_two(highest[w * 16 + row] - all);
            weight += weights[w * 16 + row] * kept;
            sum += parts[(w * 16 + row) * DIM + at % DIM] * kept;
        }
        size_t to = (size_t)(part.place + row / GROUP) * QUERY_HEADS + head * GROUP + row % GROUP;
        out[to * DIM + at % DIM] = sum / weight;
        if (at % DIM == 0) log_sum[to] = all / LOG2E + logf(weight);
    }
}
