/* A clock that can be put forward and back, for one process: cc -shared -fPIC -o clock.so clock.c, and LD_PRELOAD=clock.so.
 *
 * What is asked for the time of day (CLOCK_REALTIME) is moved by the seconds that the file CLOCK_OFFSET_FILE holds. Other clocks
 * are left alone. It allocates nothing, since allocators ask for the time themselves: that is where libfaketime does not get
 * along with jemalloc.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    const char *path = getenv("CLOCK_OFFSET_FILE");
    char text[32];
    long seconds = 0, sign = 1;
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (file < 0) {
        return 0;
    }
    long length = syscall(SYS_read, file, text, sizeof text);
    syscall(SYS_close, file);
    for (long at = 0; at < length; at++) {
        if (text[at] == '-') {
            sign = -1;
        } else if (text[at] >= '0' && text[at] <= '9') {
            seconds = 10 * seconds + (text[at] - '0');
        }
    }
    return sign * seconds;
}

int clock_gettime(clockid_t id, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, id, time);
    if (result == 0 && id == CLOCK_REALTIME) {
        time->tv_sec += offset();
    }
    return result;
}
