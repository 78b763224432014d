// What kernels on tensor cores share. Above this text stands, as a macro, how numbers are stored: TYPE, "bf16" or "f16".

typedef unsigned short Half;

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
    return (unsigned)__cvta_generic_to_shared(pointer);
}

// Begins to copy 16 bytes, or writes 16 zeros.
__device__ __forceinline__ void copy(unsigned to, const Half* from, bool there) {
    unsigned bytes = there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
// Ends a group of copies.
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits for the thread's own copies, but for so many groups of the newest.
template <int LEFT>
__device__ __forceinline__ void wait() { asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory"); }

// Two numbers as they are stored, the first in the lower half.
__device__ __forceinline__ unsigned pair(float first, float second) {
    unsigned both;
    asm("cvt.rn." TYPE "x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
}

// Four matrices of 8 x 8 numbers, whose lines the lanes of a warp name: lane i line i % 8 of matrix i / 8. TURNED, lines and
// columns are swapped.
template <bool TURNED>
__device__ __forceinline__ void fragments(unsigned (&to)[4], unsigned from) {
    if (TURNED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(from)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(from)
                     : "memory");
}

// Adds a product of 16 x 16 and 16 x 8.
__device__ __forceinline__ void multiply(float* sums, const unsigned* a, const unsigned* b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                 "{%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Writes four numbers. Predicated, and no branch: the compiler would divide a loop by it, with the exchange below in either
// half, and lanes that wait for each other in different ones.
__device__ __forceinline__ void put(float* to, float4 all, bool there) {
    asm volatile("{ .reg .pred there; setp.ne.u32 there, %0, 0; @there st.global.v4.f32 [%1], {%2, %3, %4, %5}; }" ::"r"(
                     (unsigned)there),
                 "l"(to), "f"(all.x), "f"(all.y), "f"(all.z), "f"(all.w)
                 : "memory");
}
__device__ __forceinline__ void put(Half* to, float4 all, bool there) {
    asm volatile("{ .reg .pred there; setp.ne.u32 there, %0, 0; @there st.global.v2.b32 [%1], {%2, %3}; }" ::"r"((unsigned)there),
                 "l"(to), "r"(pair(all.x, all.y)), "r"(pair(all.z, all.w))
                 : "memory");
}

// Writes a lane's part of two neighbouring fragments of 8 x 8, if its row is there: of four lanes that share a row, each has
// two numbers of either; exchanged, it has four of one, and the four lanes 16 numbers in a row. `column` is that of the
// first fragment.
template <typename Out>
__device__ __forceinline__ void store(Out* row, bool there, unsigned column, unsigned columns, const float* left,
                                      const float* right) {
    unsigned lane = threadIdx.x % 4;
    bool odd = lane % 2;
    float mine0 = odd ? right[0] : left[0], mine1 = odd ? right[1] : left[1];
    float send0 = odd ? left[0] : right[0], send1 = odd ? left[1] : right[1];
    float got0 = __shfl_xor_sync(0xFFFFFFFF, send0, 1), got1 = __shfl_xor_sync(0xFFFFFFFF, send1, 1);
    column += (odd ? 8 : 0) + 4 * (lane / 2);
    float4 all = make_float4(odd ? got0 : mine0, odd ? got1 : mine1, odd ? mine0 : got0, odd ? mine1 : got1);
    put(row + column, all, there && column < columns);
}
