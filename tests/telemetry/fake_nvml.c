/* Stands in for libnvidia-ml.so.1: GPU 0 works, GPU 1 works and does not tell its power, GPU 2 idles, GPU 3 is lost. */
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, UNKNOWN = 999, GPUS = 4 };

struct utilization { unsigned int gpu, memory; };
struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned int version; unsigned long long total, reserved, free, used; };

static int numbers[GPUS] = {0, 1, 2, 3};
static int opened;
static unsigned int reads;

int nvmlInit_v2(void) {
    if (getenv("FAKE_NVML_BROKEN") != NULL) return UNKNOWN;
    opened += 1;
    return SUCCESS;
}
int nvmlShutdown(void) { opened -= 1; return SUCCESS; }
int fake_nvml_opened(void) { return opened; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = GPUS; return opened > 0 ? SUCCESS : UNKNOWN; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    if (index == 3) return UNKNOWN;
    *device = &numbers[index];
    return SUCCESS;
}
int nvmlDeviceGetName(int *device, char *name, unsigned int length) {
    strncpy(name, *device == 0 ? "Fake GPU A" : "Fake GPU B", length);
    return SUCCESS;
}
int nvmlDeviceGetUUID(int *device, char *uuid, unsigned int length) {
    static const char *uuids[] = {"GPU-aaaa-0000", "GPU-bbbb-1111", "GPU-cccc-2222"};
    strncpy(uuid, uuids[*device], length);
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(int *device, struct utilization *busy) {
    busy->gpu = *device == 2 ? 0 : 50 + 25 * *device;
    busy->memory = 99;
    return SUCCESS;
}
/* As the driver's own: what is reserved, 512 MiB here, is in the first one's "used". GPU 1 knows only that one. */
static const unsigned long long reserved = 512ULL << 20;
int nvmlDeviceGetMemoryInfo(int *device, struct memory *memory) {
    memory->total = 80ULL << 30;
    memory->used = ((8ULL + *device) << 30) + reserved;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo_v2(int *device, struct memory_v2 *memory) {
    if (memory->version != (sizeof(struct memory_v2) | 2 << 24)) return UNKNOWN;
    if (*device == 1) return NOT_SUPPORTED;
    memory->total = 80ULL << 30;
    memory->reserved = reserved;
    memory->used = (8ULL + *device) << 30;
    memory->free = memory->total - memory->used - reserved;
    return SUCCESS;
}
int nvmlDeviceGetPowerUsage(int *device, unsigned int *milliwatts) {
    if (*device == 1) return NOT_SUPPORTED;
    *milliwatts = reads++ % 2 ? 350000 : 250000;
    return SUCCESS;
}
int nvmlDeviceGetTemperature(int *device, int sensor, unsigned int *degrees) {
    if (sensor != 0) return NOT_SUPPORTED;
    *degrees = 60 + *device;
    return SUCCESS;
}
int nvmlDeviceGetClockInfo(int *device, int clock, unsigned int *megahertz) {
    if (clock != 1) return NOT_SUPPORTED;
    *megahertz = 1900 - 100 * *device;
    return SUCCESS;
}
