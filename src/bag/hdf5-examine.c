/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 trusts what a file says of its own structure: in a damaged file some versions read far beyond a buffer, and the process
 * dies. No call of the library is safe from that, so a file that is new to this process is first examined by a child process,
 * which may die in its place. The child does nothing but HDF5: at the fork this process holds HDF5's lock, so that HDF5 is
 * between two calls; apart from HDF5 the child only uses memory, which the C library keeps usable. */
#include "hdf5-private.h"
#include "rankmil/bag.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECONDS_OF_WORK
#define SECONDS_OF_WORK 60 /* for one file: HDF5 can also loop for ever */
#endif
/* After this time the child is given up, and files are read without it. Unlike the C library's allocator, that of AddressSanitizer does not
 * keep its locks usable across a fork: a child may wait for one for ever. */
#ifdef RMIL_ASAN
#define SECONDS_OF_SILENCE 20
#else
#define SECONDS_OF_SILENCE 300
#endif
#define READ_WHOLE ((hssize_t)1 << 20) /* numbers */

/* -- in the child ---------------------------------------------------------------------------------------------------------- */
static herr_t look_at_attribute(hid_t object, const char *name, const H5A_info_t *info, void *unused) {
    g_auto(RmilHid) id = H5Aopen(object, name, H5P_DEFAULT), type = id >= 0 ? H5Aget_type(id) : H5I_INVALID_HID;
    g_auto(RmilHid) space = id >= 0 ? H5Aget_space(id) : H5I_INVALID_HID;
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    double numbers[64];
    char *text = NULL;
    if (class == H5T_STRING && H5Tis_variable_str(type) > 0 && count == 1) {
        g_auto(RmilHid) memory = H5Tcopy(type);
        if (H5Aread(id, memory, &text) >= 0 && text) H5free_memory(text);
    } else if (type >= 0 && rmil_hdf5_number_fits(type) && count >= 0 && count <= 64) {
        H5Aread(id, H5T_NATIVE_DOUBLE, numbers);
    }
    return 0;
}

static void look_at_attributes(RmilHdf5 *file, hid_t object) {
    hsize_t position = 0;
    if (rmil_hdf5_attributes_fit(file, object) && H5Aexists(object, "source") >= 0)
        H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &position, look_at_attribute, NULL);
}

/* Looks at everything that decides how numbers are found in the file; also reads the numbers of small datasets, and of those
 * with unusual filters. */
static void look_at_dataset(hid_t id) {
    g_auto(RmilHid) type = H5Dget_type(id), space = H5Dget_space(id), creation = H5Dget_create_plist(id);
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    hsize_t chunks = 0, offset[H5S_MAX_RANK], bytes;
    unsigned mask;
    haddr_t address;
    if (creation < 0 || count < 0) return;
    H5Dget_storage_size(id);
    H5Dget_offset(id);
    if (H5Pget_layout(creation) == H5D_CHUNKED && H5Dget_num_chunks(id, H5S_ALL, &chunks) >= 0 && chunks > 0)
        H5Dget_chunk_info(id, H5S_ALL, chunks - 1, offset, &mask, &address, &bytes);
    gboolean whole = count <= READ_WHOLE || !rmil_hdf5_usual_filters(creation);
    g_autofree double *numbers = whole && type >= 0 && rmil_hdf5_number_fits(type) ? g_try_new(double, (gsize)count) : NULL;
    if (numbers) H5Dread(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
}

static herr_t look_at_object(hid_t group, const char *name, const H5L_info_t *info, void *file) {
    g_auto(RmilHid) id = info->type == H5L_TYPE_HARD ? H5Oopen(group, name, H5P_DEFAULT) : H5I_INVALID_HID;
    if (id < 0) return 0;
    look_at_attributes(file, id);
    if (H5Iget_type(id) == H5I_DATASET) look_at_dataset(id);
    return 0;
}

static void look_through(const char *path) {
    RmilHdf5 *file = rmil_hdf5_open_unexamined(path, NULL);
    if (!file) return; /* an error that the parent meets just as safely */
    look_at_attributes(file, file->id);
    H5Literate(file->id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, look_at_object, file);
    rmil_hdf5_free(file);
}

static G_GNUC_NORETURN void live(const char *const *paths, int64_t n, int answers) {
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGVTALRM, SIGPIPE};
    const struct itimerval time = {.it_value.tv_sec = SECONDS_OF_WORK};
    sigset_t none;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDERR_FILENO); /* hides the last messages of the C library and sanitizers */
    /* closes the parent's files: a lock on one would outlive a parent that is killed */
    if (answers > STDERR_FILENO + 1) close_range(STDERR_FILENO + 1, (unsigned)answers - 1, 0);
    close_range((unsigned)answers + 1, ~0U, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(deadly); i++) signal(deadly[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    rmil_hdf5_enter_child();
    for (int64_t i = 0; i < n; i++) {
        setitimer(ITIMER_VIRTUAL, &time, NULL);
        look_through(paths[i]);
        if (write(answers, "", 1) != 1) break;
    }
    _exit(0);
}

/* -- in the parent --------------------------------------------------------------------------------------------------------- */
typedef struct {
    pid_t id;
    int answers;
} Child;

static gboolean begin(Child *child, const char *const *paths, int64_t n) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return FALSE;
    child->id = fork();
    if (child->id == 0) live(paths, n, ends[1]);
    close(ends[1]);
    child->answers = ends[0];
    if (child->id < 0) close(ends[0]);
    return child->id > 0;
}

/* The number of files that the child has finished, one more each time; −1: it no longer answers. */
static int64_t listen_to(const Child *child, int64_t n) {
    int64_t done = 0;
    char answers[256];
    while (done < n) {
        struct pollfd wait = {.fd = child->answers, .events = POLLIN};
        int ready = poll(&wait, 1, SECONDS_OF_SILENCE * 1000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return -1;
        ssize_t got = read(child->answers, answers, MIN(sizeof answers, (size_t)(n - done)));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += got;
    }
    return done;
}

/* Ends the child; returns the signal that ended it, 0: none. */
static int end(const Child *child, gboolean stop) {
    int status = 0;
    if (stop) kill(child->id, SIGKILL);
    while (waitpid(child->id, &status, 0) < 0 && errno == EINTR) continue;
    close(child->answers);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Verdicts by a key that identifies the file: why it cannot be read, or "" if it can. Used with HDF5's lock held. */
static GHashTable *verdicts;

static char *identity(const struct stat *info) {
    return g_strdup_printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld %" G_GINT64_FORMAT
                           ".%09ld",
                           (guint64)info->st_dev, (guint64)info->st_ino, (gint64)info->st_size, (gint64)info->st_mtim.tv_sec,
                           info->st_mtim.tv_nsec, (gint64)info->st_ctim.tv_sec, info->st_ctim.tv_nsec);
}

static void judge(char *key, const char *verdict) { g_hash_table_insert(verdicts, g_strdup(key), g_strdup(verdict)); }

static void condemn(char *key, int signal) {
    g_autofree char *reason = signal == SIGVTALRM ? g_strdup("HDF5 needs more than a minute to open it")
                              : signal            ? g_strdup_printf("HDF5 crashes on it (%s)", g_strsignal(signal))
                                                  : g_strdup("HDF5 crashes on it");
    judge(key, reason);
}

/* Files that no child could examine (no process, no answer) get no verdict, and are read. */
static void examine(const char *const *paths, char **keys, int64_t n) {
    Child child;
    for (int64_t first = 0; first < n;) {
        if (!begin(&child, paths + first, n - first)) return;
        int64_t done = listen_to(&child, n - first);
        int signal = end(&child, done < 0);
        if (done < 0) return;
        for (int64_t i = first; i < first + done; i++) judge(keys[i], "");
        first += done;
        if (first < n) condemn(keys[first++], signal);
    }
}

void rmil_bag_examine(const char *const *paths, int64_t n) {
    RMIL_HDF5_SCOPE;
    g_autoptr(GPtrArray) new = g_ptr_array_new(), keys = g_ptr_array_new_with_free_func(g_free);
    if (!verdicts) verdicts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (int64_t i = 0; i < n; i++) {
        struct stat info;
        if (stat(paths[i], &info) != 0 || !S_ISREG(info.st_mode)) continue;
        g_autofree char *key = identity(&info);
        if (g_hash_table_contains(verdicts, key)) continue;
        g_ptr_array_add(new, (gpointer)paths[i]);
        g_ptr_array_add(keys, g_steal_pointer(&key));
    }
    examine((const char *const *)new->pdata, (char **)keys->pdata, new->len);
}

gboolean rmil_hdf5_passed(const char *path, const struct stat *info, GError **error) {
    RMIL_HDF5_SCOPE;
    g_autofree char *key = identity(info);
    const char *verdict = verdicts ? g_hash_table_lookup(verdicts, key) : NULL;
    if (!verdict) {
        rmil_bag_examine(&path, 1);
        verdict = g_hash_table_lookup(verdicts, key);
    }
    return !verdict || !*verdict || rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is damaged: %s: make the file again", path, verdict);
}
