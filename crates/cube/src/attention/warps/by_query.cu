// The gradient of attention by queries. A warp has 16 rows of queries and of the output's gradient in its registers; tiles
// of keys and values pass, copied two steps ahead.

#define TILE (PASSING * DIM * 2)
#define STAGES 3

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    NAME(const Half* __restrict__ q, const Half* __restrict__ k, const Half* __restrict__ v, const Half* __restrict__ grad,
         const float* __restrict__ log_sum, const float* __restrict__ dot, const unsigned* __restrict__ blocks,
         Half* __restrict__ dq, const __grid_constant__ Scale scale) {
    __shared__ __align__(1024) unsigned char tiles[STAGES * 2 * TILE];
    const Block block(blocks);
    const Queries& queries = block.queries;
    const Keys& keys = block.keys;
    unsigned base = shared_address(tiles), line = threadIdx.x / 32 * 16;
    unsigned left[DIM / 16][4], left_grad[DIM / 16][4];
    keep(left, base, q, queries);
    keep(left_grad, base, grad, queries);
    auto pass = [&](unsigned first, unsigned stage) {
        if (first < keys.rows) {
            fetch<PASSING>(base + 2 * stage * TILE, k, keys, first);
            fetch<PASSING>(base + (2 * stage + 1) * TILE, v, keys, first);
        }
        commit();
    };
    pass(0, 0);
    pass(PASSING, 1);

    unsigned rows[2], visible[2];
    float log[2] = {0, 0}, mean[2] = {0, 0};
#pragma unroll
    for (int half = 0; half < 2; half++) {
        rows[half] = line + 8 * half + threadIdx.x % 32 / 4;
        bool there = rows[half] < queries.rows;
        visible[half] = there ? min(block.seen + rows[half] / GROUP, keys.rows) : 0;
        if (there) {
            log[half] = log_sum[queries.index(rows[half])] * LOG2E;
            mean[half] = dot[queries.index(rows[half])];
        }
    }
    float by = factor(scale), step = by * LOG2E, sums[DIM / 8][4] = {};
    unsigned column = threadIdx.x % 4 * 2, stage = 0;
#pragma unroll 1
    for (unsigned first = 0; first < keys.rows; first += PASSING) {
        float scores[PASSING / 8][4], by_weight[PASSING / 8][4];
        wait<1>();
        __syncthreads(); // copies are there, and everyone has left the stage that is written next
        pass(first + 2 * PASSING, stage == 0 ? 2 : stage - 1);
        unsigned key_tile = base + 2 * stage * TILE;
        products<PASSING>(scores, left, key_tile);
        products<PASSING>(by_weight, left_grad, key_tile + TILE);
#pragma unroll
        for (int n = 0; n < PASSING / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                bool sees = first + 8 * n + column + e % 2 < visible[e / 2];
                float weight = power_of_two(scores[n][e] * step - log[e / 2]);
                scores[n][e] = sees ? weight * (by_weight[n][e] - mean[e / 2]) * by : 0;
            }
        add_lines<PASSING>(sums, scores, key_tile);
        stage = stage == STAGES - 1 ? 0 : stage + 1;
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        bool there = rows[half] < queries.rows;
        Half* to = dq + queries.at(rows[half]);
#pragma unroll
        for (int n = 0; n < DIM / 8; n += 2) store(to, there, 8 * n, DIM, sums[n] + 2 * half, sums[n + 1] + 2 * half);
    }
}
