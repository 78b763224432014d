// The gradient of attention by keys and values. A warp has 16 keys and their values in its registers, and the sums of
// both gradients; tiles of queries and of the output's gradient pass, run by run, copied ahead.

#define TILE (PASSING * DIM * 2)
#define STAGES 4
#define KEY_BLOCK 6
#define RUN 3

// Tiles of the queries of several runs, one after the other.
struct Passing {
    const unsigned* runs;
    unsigned run, end, head, first;
    Queries queries;
    unsigned position; // of the run's first token in the segment of the keys

    __device__ __forceinline__ void enter() {
        if (run < end) {
            queries = Queries{runs[run * RUN], runs[run * RUN + 1] * GROUP, head};
            position = runs[run * RUN + 2];
        }
    }
    __device__ __forceinline__ Passing(const unsigned* runs, unsigned run, unsigned end, unsigned head)
        : runs(runs), run(run), end(end), head(head), first(0) {
        enter();
    }
    __device__ __forceinline__ bool there() const { return run < end; }
    __device__ __forceinline__ void next() {
        first += PASSING;
        if (first >= queries.rows) {
            first = 0;
            run++;
            enter();
        }
    }
};

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    NAME(const Half* __restrict__ q, const Half* __restrict__ k, const Half* __restrict__ v, const Half* __restrict__ grad,
         const float* __restrict__ log_sum, const float* __restrict__ dot, const unsigned* __restrict__ blocks,
         const unsigned* __restrict__ runs, float* __restrict__ dk, float* __restrict__ dv,
         const __grid_constant__ Scale scale) {
    // Keys, and then values, first take the place of what passes.
    __shared__ __align__(1024) unsigned char tiles[STAGES * 2 * TILE > KEPT * DIM * 2 ? STAGES * 2 * TILE : KEPT * DIM * 2];
    const unsigned* b = blocks + blockIdx.x / KV_HEADS * KEY_BLOCK;
    unsigned head = blockIdx.x % KV_HEADS, base = shared_address(tiles), line = threadIdx.x / 32 * 16;
    const Keys keys{b[0], b[1], 0, b[1], head};
    unsigned left[DIM / 16][4], left_value[DIM / 16][4];
    keep(left, base, k, keys);
    keep(left_value, base, v, keys);

    Passing now(runs, b[3], b[4], head * GROUP), ahead = now;
    auto pass = [&](unsigned stage) {
        if (ahead.there()) {
            fetch<PASSING>(base + 2 * stage * TILE, q, ahead.queries, ahead.first);
            fetch<PASSING>(base + (2 * stage + 1) * TILE, grad, ahead.queries, ahead.first);
            ahead.next();
        }
        commit();
    };
    for (int stage = 0; stage < STAGES - 1; stage++) pass(stage);
    float by = factor(scale), step = by * LOG2E, by_k[DIM / 8][4] = {}, by_v[DIM / 8][4] = {};
    unsigned key = line + threadIdx.x % 32 / 4, stage = 0;
#pragma unroll 1
    for (; now.there(); now.next()) {
        // Of the queries that are a lane's columns.
        float log[PASSING / 8][2], mean[PASSING / 8][2];
        unsigned seen[PASSING / 8][2]; // keys of the block that the query sees
#pragma unroll
        for (int n = 0; n < PASSING / 8; n++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                unsigned row = now.first + 8 * n + threadIdx.x % 4 * 2 + e;
                bool there = row < now.queries.rows;
                size_t at = now.queries.index(there ? row : 0);
                log[n][e] = log_sum[at] * LOG2E;
                mean[n][e] = dot[at];
                seen[n][e] = there ? now.position + row / GROUP + 1 - b[2] : 0;
            }
        wait<STAGES - 2>();
        __syncthreads(); // copies are there, and everyone has left the stage that is written next
        pass(stage == 0 ? STAGES - 1 : stage - 1);
        unsigned query_tile = base + 2 * stage * TILE;
        float scores[PASSING / 8][4], by_score[PASSING / 8][4];
        products<PASSING>(scores, left, query_tile);
        products<PASSING>(by_score, left_value, query_tile + TILE);
#pragma unroll
        for (int n = 0; n < PASSING / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                bool sees = key + e / 2 * 8 < seen[n][e % 2];
                scores[n][e] = sees ? power_of_two(scores[n][e] * step - log[n][e % 2]) : 0;
                by_score[n][e] = scores[n][e] * (by_score[n][e] - mean[n][e % 2]) * by;
            }
        add_lines<PASSING>(by_v, scores, query_tile + TILE);
        add_lines<PASSING>(by_k, by_score, query_tile);
        stage = stage == STAGES - 1 ? 0 : stage + 1;
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned row = key + 8 * half;
        size_t at = ((size_t)(b[5] + row) * KV_HEADS + head) * DIM;
        bool there = row < keys.rows;
#pragma unroll
        for (int n = 0; n < DIM / 8; n += 2) {
            store(dk + at, there, 8 * n, DIM, by_k[n] + 2 * half, by_k[n + 1] + 2 * half);
            store(dv + at, there, 8 * n, DIM, by_v[n] + 2 * half, by_v[n + 1] + 2 * half);
        }
    }
}
