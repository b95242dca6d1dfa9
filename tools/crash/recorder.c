/* Records what a program does to the files of one directory, so that any crash of the machine can be played through later.
 *
 * It is loaded before the C library (LD_PRELOAD). RECORD_DIR is the directory, RECORD_TO the record, which several
 * processes append to. Nothing is really synced: for the program that is only faster, since what counts is the record.
 * The format of the record is described in record.rs. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPENED = 1, WRITTEN = 2, RESIZED = 3, SYNCED = 4, DIRECTORY_SYNCED = 5, REMOVED = 6 };

/* The largest descriptor of a file of the directory. */
#define MOST_FILES 1024

/* The inode of each file that is open, 0 for other descriptors, and DIRECTORY for the directory. */
static uint64_t inodes[MOST_FILES];
static const uint64_t DIRECTORY = UINT64_MAX;

static char directory[PATH_MAX];
static int record = -1;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_unlink)(const char *);

static void fail(const char *what) {
    fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
    abort();
}

__attribute__((constructor)) static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *path = getenv("RECORD_DIR"), *to = getenv("RECORD_TO");
    if (!path || !to || !realpath(path, directory)) fail("RECORD_DIR and RECORD_TO");
    record = real_open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (record < 0) fail(to);
}

/* The name of a file of the directory, "" for the directory itself, NULL for others. The shared memory of SQLite is never
 * on the disk, and locks and sockets have no content. */
static const char *name_of(const char *path) {
    size_t length = strlen(directory);
    if (record < 0 || strncmp(path, directory, length)) return NULL;
    if (!path[length]) return "";
    if (path[length] != '/') return NULL;
    const char *name = path + length + 1;
    size_t end = strlen(name);
    if (strchr(name, '/') || (end > 4 && !strcmp(name + end - 4, "-shm"))) return NULL;
    return name;
}

static uint64_t inode_of(int file) { return file >= 0 && file < MOST_FILES ? inodes[file] : 0; }

/* An operation and its place in the record are one step, for all threads and processes. */
static void begin(void) {
    pthread_mutex_lock(&turn);
    if (flock(record, LOCK_EX)) fail("lock of the record");
}

static void end(void) {
    flock(record, LOCK_UN);
    pthread_mutex_unlock(&turn);
}

static void note(enum kind kind, uint64_t inode, uint64_t number, const void *data, size_t length) {
    uint8_t head[25];
    uint64_t size = length;
    head[0] = (uint8_t)kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &number, 8);
    memcpy(head + 17, &size, 8);
    struct iovec parts[] = {{head, sizeof head}, {(void *)data, length}};
    if (writev(record, parts, 2) != (ssize_t)(sizeof head + length)) fail("write of the record");
}

static int open_any(const char *path, int flags, mode_t mode) {
    const char *name = name_of(path);
    if (!name) return real_open(path, flags, mode);
    begin();
    int file = real_open(path, flags, mode);
    struct stat64 found;
    if (file >= 0 && file < MOST_FILES && !fstat64(file, &found)) {
        if (!*name) {
            inodes[file] = DIRECTORY;
        } else {
            inodes[file] = found.st_ino;
            note(OPENED, found.st_ino, 0, name, strlen(name));
            if (flags & O_TRUNC) note(RESIZED, found.st_ino, 0, NULL, 0);
        }
    } else if (file >= MOST_FILES) {
        fail("too many descriptors");
    }
    end();
    return file;
}

static mode_t mode_of(int flags, va_list more) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; }

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_any(path, flags, mode);
}

int close(int file) {
    if (file >= 0 && file < MOST_FILES) inodes[file] = 0;
    return real_close(file);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    uint64_t inode = inode_of(file);
    if (!inode) return real_pwrite(file, data, length, offset);
    begin();
    ssize_t written = real_pwrite(file, data, length, offset);
    if (written > 0) note(WRITTEN, inode, (uint64_t)offset, data, (size_t)written);
    end();
    return written;
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) { return pwrite64(file, data, length, offset); }

ssize_t write(int file, const void *data, size_t length) {
    uint64_t inode = inode_of(file);
    if (!inode) return real_write(file, data, length);
    begin();
    off64_t offset = lseek64(file, 0, SEEK_CUR);
    ssize_t written = real_write(file, data, length);
    if (written > 0) note(WRITTEN, inode, (uint64_t)offset, data, (size_t)written);
    end();
    return written;
}

int ftruncate64(int file, off64_t length) {
    uint64_t inode = inode_of(file);
    if (!inode) return real_ftruncate(file, length);
    begin();
    int outcome = real_ftruncate(file, length);
    if (!outcome) note(RESIZED, inode, (uint64_t)length, NULL, 0);
    end();
    return outcome;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int fsync(int file) {
    uint64_t inode = inode_of(file);
    if (!inode) return real_fsync(file);
    begin();
    if (inode == DIRECTORY)
        note(DIRECTORY_SYNCED, 0, 0, NULL, 0);
    else
        note(SYNCED, inode, 0, NULL, 0);
    end();
    return 0;
}

int fdatasync(int file) { return fsync(file); }

int unlink(const char *path) {
    const char *name = name_of(path);
    if (!name || !*name) return real_unlink(path);
    begin();
    int outcome = real_unlink(path);
    if (!outcome) note(REMOVED, 0, 0, name, strlen(name));
    end();
    return outcome;
}
