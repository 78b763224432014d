// Attention's output. A warp has 16 rows of queries, whose products stay in its registers; keys are copied a tile ahead,
// into two tiles that take turns, values into one while the next scores are computed.

#define TILE (PASSING * DIM * 2)

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    NAME(const Half* __restrict__ q, const Half* __restrict__ k, const Half* __restrict__ v, const unsigned* __restrict__ blocks,
         Half* __restrict__ out, float* __restrict__ log_sum, const __grid_constant__ Scale scale) {
    __shared__ __align__(1024) unsigned char tiles[3 * TILE];
    const Block block(blocks);
    const Queries& queries = block.queries;
    const Keys& keys = block.keys;
    unsigned base = shared_address(tiles), values = base + 2 * TILE, line = threadIdx.x / 32 * 16;
    unsigned left[DIM / 16][4];
    keep(left, base, q, queries); // keys take their place then
    fetch<PASSING>(base, k, keys, 0);
    commit();
    fetch<PASSING>(values, v, keys, 0);
    commit();

    // Of the two rows of a lane, eight apart.
    unsigned rows[2], visible[2];
    float top[2] = {-1e30f, -1e30f}, total[2] = {0, 0};
#pragma unroll
    for (int half = 0; half < 2; half++) {
        rows[half] = line + 8 * half + threadIdx.x % 32 / 4;
        visible[half] = min(block.seen + rows[half] / GROUP, keys.rows);
    }
    float step = factor(scale) * LOG2E, sums[DIM / 8][4] = {};
    unsigned turn = 0;
#pragma unroll 1
    for (unsigned first = 0; first < keys.rows; first += PASSING, turn ^= 1) {
        float scores[PASSING / 8][4];
        wait<1>();
        __syncthreads();
        products<PASSING>(scores, left, base + turn * TILE);
        if (first + PASSING < keys.rows) fetch<PASSING>(base + (turn ^ 1) * TILE, k, keys, first + PASSING);
        commit();
        bool whole = first + PASSING <= block.seen; // whether all rows see all of the tile
        weigh<PASSING>(scores, sums, top, total, first, visible, whole, step);
        wait<1>();
        __syncthreads();
        add_lines<PASSING>(sums, scores, values);
        __syncthreads(); // everyone has left the values
        if (first + PASSING < keys.rows) fetch<PASSING>(values, v, keys, first + PASSING);
        commit();
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float weight = over_row(total[half], false);
        bool there = rows[half] < queries.rows;
#pragma unroll
        for (int n = 0; n < DIM / 8; n++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) sums[n][e] /= weight;
        Half* to = out + queries.at(rows[half]);
#pragma unroll
        for (int n = 0; n < DIM / 8; n += 2) store(to, there, 8 * n, DIM, sums[n] + 2 * half, sums[n + 1] + 2 * half);
        if (there && threadIdx.x % 4 == 0) log_sum[queries.index(rows[half])] = top[half] / LOG2E + logf(weight);
    }
}
