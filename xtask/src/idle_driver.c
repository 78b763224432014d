/* A CUDA driver on the CPU: what `cargo xtask gpu compile`, `gpu idle` and `gpu emulate` put in the place of NVIDIA's.
 *
 * A program that computes by CubeCL then goes all its way on a machine without a GPU: it finds a device, has every
 * kernel compiled by NVIDIA's compiler, hands the PTX to be assembled (it is written into the folder IDLE_DRIVER_PTX),
 * and launches it, upon which nothing happens, or, where IDLE_DRIVER_RUNS is 1, the machine of xtask/machine runs it.
 * Launches that the device would refuse are refused.
 *
 * Only what cubecl calls is here. The compute capability is IDLE_DRIVER_SM, 90 by default; other figures are an H100's.
 * Where IDLE_DRIVER_GRAPHS is 0, nothing is recorded. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Result; /* CUresult */
typedef uint64_t Address; /* CUdeviceptr */

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    INVALID_PTX = 218,
    NOT_FOUND = 500,
    LAUNCH_FAILED = 719,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_UNJOINED = 904
};
enum { MAX_THREADS = 1024, MAX_SHARED = 232448, WARP = 32, PROCESSORS = 132 };
static const size_t MEMORY = (size_t)80 << 30;

/* Handles are never looked at: each is a fresh address. */
static Result fresh(void **handle) {
    *handle = malloc(1);
    return *handle ? SUCCESS : OUT_OF_MEMORY;
}

/* ---- the machine that runs PTX ---- */

void *machine_load(const char *ptx);
void *machine_kernel(void *module, const char *name);
size_t machine_parameters(void *kernel);
void machine_pack(void *kernel, void **arguments, void *to);
int machine_run(void *kernel, const uint32_t *sizes, uint32_t shared, const void *parameters);

static int runs(void) {
    const char *asked = getenv("IDLE_DRIVER_RUNS");
    return asked && !strcmp(asked, "1");
}

typedef struct Launched Launched;
struct Launched {
    void *kernel;
    uint32_t sizes[6], shared; /* of the grid, then of a block */
    void *parameters;
    Launched *next;
};

static Result run(const Launched *launch) {
    return machine_run(launch->kernel, launch->sizes, launch->shared, launch->parameters) ? LAUNCH_FAILED : SUCCESS;
}

/* ---- the device ---- */

static int capability(void) {
    const char *sm = getenv("IDLE_DRIVER_SM");
    return sm ? atoi(sm) : 90;
}

Result cuInit(unsigned flags) { return SUCCESS; }
Result cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
Result cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
Result cuDeviceGet(int *device, int ordinal) { return *device = ordinal, SUCCESS; }
Result cuDeviceGetName(char *name, int size, int device) {
    return snprintf(name, size, "NVIDIA H100 (idle driver)"), SUCCESS;
}
Result cuDeviceGetPCIBusId(char *id, int size, int device) { return snprintf(id, size, "0000:01:00.0"), SUCCESS; }
Result cuDeviceTotalMem_v2(size_t *bytes, int device) { return *bytes = MEMORY, SUCCESS; }
Result cuMemGetInfo_v2(size_t *unused, size_t *total) { return *unused = *total = MEMORY, SUCCESS; }

Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) { /* CUdevice_attribute */
    case 1: case 2: case 3: *value = MAX_THREADS; break; /* of a block, along x and along y */
    case 4: *value = 64; break; /* along z */
    case 5: *value = INT32_MAX; break; /* blocks along x */
    case 6: case 7: *value = 65535; break; /* along y and z */
    case 10: *value = WARP; break;
    case 16: *value = PROCESSORS; break;
    case 38: *value = 50 << 20; break; /* bytes of the second cache */
    case 75: *value = capability() / 10; break;
    case 76: *value = capability() % 10; break;
    case 97: *value = MAX_SHARED; break;
    default: *value = 0;
    }
    return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(void **context, int device) { return fresh(context); }
Result cuDevicePrimaryCtxRelease_v2(int device) { return SUCCESS; }
Result cuCtxSetCurrent(void *context) { return SUCCESS; }
Result cuCtxGetCurrent(void **context) { return fresh(context); }
Result cuCtxGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, SUCCESS; }

/* ---- graphs: the launches between the beginning and the end of a capture ---- */

typedef struct {
    size_t launches;
    Launched *first, **end; /* none where nothing runs */
} Graph;

/* As in CUDA's global mode, no thread may wait or take memory meanwhile. */
static void *volatile capturing; /* the stream */
static Graph *recorded;
static volatile int joined; /* whether another stream waits for the one that is recorded */

Result cuStreamBeginCapture_v2(void *stream, int mode) {
    const char *graphs = getenv("IDLE_DRIVER_GRAPHS");
    if (capturing || (graphs && !strcmp(graphs, "0"))) return INVALID_VALUE;
    recorded = calloc(1, sizeof *recorded);
    if (!recorded) return OUT_OF_MEMORY;
    recorded->end = &recorded->first;
    return joined = 0, capturing = stream, SUCCESS;
}
Result cuStreamEndCapture(void *stream, void **graph) {
    if (capturing != stream) return INVALID_VALUE;
    capturing = NULL;
    return joined ? CAPTURE_UNJOINED : (*graph = recorded, SUCCESS);
}
Result cuGraphGetNodes(void *graph, void **nodes, size_t *count) {
    size_t launches = ((Graph *)graph)->launches;
    for (size_t i = 0; nodes && i < *count && i < launches; i++) nodes[i] = graph;
    return *count = launches, SUCCESS;
}
Result cuGraphNodeGetType(void *node, int *type) { return *type = 0, SUCCESS; } /* a kernel */
Result cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    return *executable = graph, SUCCESS;
}
Result cuGraphUpload(void *executable, void *stream) { return SUCCESS; }
Result cuGraphLaunch(void *executable, void *stream) {
    Result result = SUCCESS;
    for (const Launched *launch = ((Graph *)executable)->first; launch && result == SUCCESS; launch = launch->next)
        result = run(launch);
    return result;
}
/* The executable is the graph, which therefore stays when it is given back before that. */
Result cuGraphDestroy(void *graph) { return SUCCESS; }
Result cuGraphExecDestroy(void *executable) {
    Graph *graph = executable;
    for (Launched *launch = graph->first, *next; launch; launch = next) {
        next = launch->next;
        free(launch->parameters);
        free(launch);
    }
    return free(graph), SUCCESS;
}

/* ---- streams and events: everything is done as soon as it is asked for ---- */

Result cuStreamCreate(void **stream, unsigned flags) { return fresh(stream); }
Result cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) { return fresh(stream); }
Result cuStreamSynchronize(void *stream) { return capturing ? CAPTURE_UNSUPPORTED : SUCCESS; }
Result cuStreamQuery(void *stream) { return SUCCESS; }
Result cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
    /* Events of the recorded stream say so. */
    if (capturing && stream != capturing && *(void **)event == capturing) joined = 1;
    return SUCCESS;
}
Result cuStreamDestroy_v2(void *stream) { return SUCCESS; }
Result cuEventCreate(void **event, unsigned flags) {
    *event = calloc(1, sizeof(void *)); /* the stream that it was recorded on */
    return *event ? SUCCESS : OUT_OF_MEMORY;
}
Result cuEventRecord(void *event, void *stream) { return *(void **)event = stream, SUCCESS; }
Result cuEventSynchronize(void *event) { return capturing ? CAPTURE_UNSUPPORTED : SUCCESS; }
Result cuEventQuery(void *event) { return SUCCESS; }
Result cuEventElapsedTime(float *ms, void *start, void *end) { return *ms = 1, SUCCESS; }
Result cuEventElapsedTime_v2(float *ms, void *start, void *end) { return *ms = 1, SUCCESS; }
Result cuEventDestroy_v2(void *event) { return free(event), SUCCESS; }

/* ---- memory: the host's ---- */

/* Zeros that take no memory until they are written. What is freed stands before what is given. */
static Result allocate(void **to, size_t bytes) {
    if (capturing) return CAPTURE_UNSUPPORTED;
    char *all = calloc(1, bytes + 1024);
    if (!all) return OUT_OF_MEMORY;
    void **aligned = (void **)(((uintptr_t)all + 1023) & ~(uintptr_t)511);
    aligned[-1] = all;
    return *to = aligned, SUCCESS;
}
static Result release(void *given) {
    if (given) free(((void **)given)[-1]);
    return SUCCESS;
}

Result cuMemAlloc_v2(Address *to, size_t bytes) { return allocate((void **)to, bytes); }
Result cuMemAllocAsync(Address *to, size_t bytes, void *stream) { return allocate((void **)to, bytes); }
Result cuMemAllocHost_v2(void **to, size_t bytes) { return allocate(to, bytes); }
Result cuMemFree_v2(Address from) { return release((void *)from); }
Result cuMemFreeAsync(Address from, void *stream) { return release((void *)from); }
Result cuMemFreeHost(void *from) { return release(from); }
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
    return memcpy((void *)to, from, bytes), SUCCESS;
}
Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
    return memcpy(to, (void *)from, bytes), SUCCESS;
}
Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) {
    return memmove((void *)to, (void *)from, bytes), SUCCESS;
}

enum { HOST = 1 };
typedef struct {
    size_t x, y;
    int type;
    void *host;
    Address device;
    void *array;
    size_t pitch;
} Side;
typedef struct {
    Side from, to;
    size_t width, height;
} Copy; /* CUDA_MEMCPY2D */

Result cuMemcpy2DAsync_v2(const Copy *copy, void *stream) {
    const char *from = copy->from.type == HOST ? copy->from.host : (void *)copy->from.device;
    char *to = copy->to.type == HOST ? copy->to.host : (void *)copy->to.device;
    for (size_t row = 0; row < copy->height; row++)
        memcpy(to + row * copy->to.pitch, from + row * copy->from.pitch, copy->width);
    return SUCCESS;
}

/* How a kernel copies tiles of a tensor; the driver's rules (CUDA driver API, tensor map object access). */
Result cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address, const uint64_t *sizes,
                              const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                              int swizzle, int promotion, int fill) {
    int fits = rank >= 1 && rank <= 5 && (uintptr_t)address % 16 == 0;
    for (uint32_t i = 0; i < rank; i++) {
        fits &= sizes[i] >= 1 && sizes[i] <= (uint64_t)1 << 32 && box[i] >= 1 && box[i] <= 256;
        fits &= steps[i] >= 1 && steps[i] <= 8 && (i + 1 == rank || strides[i] % 16 == 0);
    }
    return memset(map, 0, 128), fits ? SUCCESS : INVALID_VALUE;
}

/* ---- kernels: written down, and run where that is asked for ---- */

static __thread const char *ptx;
static __thread size_t ptx_bytes;

/* What stands for machine code: the module that the machine made, if it made one. */
typedef struct {
    char tag[8];
    void *module;
} Image;

Result cuLinkCreate_v2(unsigned count, int *options, void **values, void **state) { return fresh(state); }
Result cuLinkAddData_v2(void *state, int type, void *data, size_t bytes, const char *name, unsigned count, int *options,
                        void **values) {
    ptx = data;
    ptx_bytes = strnlen(data, bytes);
    return SUCCESS;
}
static Result write_down(const char *folder) {
    static int written;
    char path[4096];
    snprintf(path, sizeof path, "%s/%d.ptx", folder, __sync_fetch_and_add(&written, 1));
    FILE *file = fopen(path, "w");
    if (!file) return INVALID_VALUE;
    size_t done = fwrite(ptx, 1, ptx_bytes, file);
    return fclose(file) || done < ptx_bytes ? INVALID_VALUE : SUCCESS;
}
Result cuLinkComplete(void *state, void **cubin, size_t *bytes) {
    static __thread Image image;
    image = (Image){"idle", runs() ? machine_load(ptx) : NULL};
    *cubin = &image;
    *bytes = sizeof image;
    if (runs() && !image.module) return INVALID_PTX;
    const char *folder = getenv("IDLE_DRIVER_PTX");
    return folder ? write_down(folder) : SUCCESS;
}
Result cuLinkDestroy(void *state) { return free(state), SUCCESS; }
Result cuModuleLoadData(void **module, const void *data) {
    Image image;
    memcpy(&image, data, sizeof image);
    return image.module ? (*module = image.module, SUCCESS) : fresh(module);
}
Result cuModuleLoadDataEx(void **module, const void *data, unsigned count, int *options, void **values) {
    return cuModuleLoadData(module, data);
}
Result cuModuleGetFunction(void **function, void *module, const char *name) {
    if (!runs()) return fresh(function);
    return (*function = machine_kernel(module, name)) ? SUCCESS : NOT_FOUND;
}
Result cuModuleUnload(void *module) { return SUCCESS; }
Result cuFuncSetAttribute(void *function, int attribute, int value) {
    return value > MAX_SHARED ? INVALID_VALUE : SUCCESS; /* the one that is set is the bytes of shared memory */
}
Result cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned x, unsigned y,
                      unsigned z, unsigned shared, void *stream, void **arguments, void **extra) {
    int fits = grid_x && grid_y && grid_z && grid_y <= 65535 && grid_z <= 65535 && x && y && z &&
               (uint64_t)x * y * z <= MAX_THREADS && z <= 64 && shared <= MAX_SHARED;
    if (!fits) return INVALID_VALUE;
    int records = capturing == stream;
    if (records) recorded->launches++;
    if (!runs()) return SUCCESS;
    Launched *launch = calloc(1, sizeof *launch);
    void *parameters = calloc(1, machine_parameters(function) + 1);
    if (!launch || !parameters) return OUT_OF_MEMORY;
    *launch = (Launched){function, {grid_x, grid_y, grid_z, x, y, z}, shared, parameters, NULL};
    machine_pack(function, arguments, parameters);
    if (records) {
        *recorded->end = launch;
        recorded->end = &launch->next;
        return SUCCESS;
    }
    Result result = run(launch);
    return free(parameters), free(launch), result;
}

Result cuGetErrorName(int error, const char **name) {
    *name = error == OUT_OF_MEMORY         ? "CUDA_ERROR_OUT_OF_MEMORY"
            : error == INVALID_PTX         ? "CUDA_ERROR_INVALID_PTX"
            : error == NOT_FOUND           ? "CUDA_ERROR_NOT_FOUND"
            : error == LAUNCH_FAILED       ? "CUDA_ERROR_LAUNCH_FAILED"
            : error == CAPTURE_UNSUPPORTED ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
            : error == CAPTURE_UNJOINED    ? "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"
                                           : "CUDA_ERROR_INVALID_VALUE";
    return SUCCESS;
}
Result cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }
