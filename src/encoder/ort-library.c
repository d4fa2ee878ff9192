/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading ONNX Runtime. */
#include "ort-library.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "RMIL_ONNXRUNTIME"
#define GET_IT "tools/setup-onnxruntime fetches it and says how to name it in " VARIABLE

/* -- where --------------------------------------------------------------------------------------------------------------------- */

/* The last match of a shell pattern: the newest version, if the matches are versions; NULL: none. g_free. */
static char *last_match(const char *pattern) {
    glob_t found;
    char *last = NULL;
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc) last = g_strdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return last;
}

/* Folders are escaped, so that one whose name looks like a pattern is taken literally. */
static char *escape(const char *folder) {
    GString *out = g_string_new(NULL);
    for (; *folder; folder++) {
        if (strchr("*?[\\", *folder)) g_string_append_c(out, '\\');
        g_string_append_c(out, *folder);
    }
    return g_string_free(out, FALSE);
}

static char *in_folder(const char *folder) {
    static const char *const places[] = {"libonnxruntime.so*", "lib/libonnxruntime.so*", "capi/libonnxruntime.so*",
                                         "onnxruntime/capi/libonnxruntime.so*",
                                         "lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so*"};
    g_autofree char *plain = escape(folder);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *pattern = g_build_filename(plain, places[i], NULL);
        char *found = last_match(pattern);
        if (found) return found;
    }
    return NULL;
}

/* Folders of Python packages, as patterns. Free with g_strfreev. */
static char **python_folders(void) {
    g_autoptr(GStrvBuilder) folders = g_strv_builder_new();
    const char *environment = g_getenv("VIRTUAL_ENV");
    g_autofree char *plain = environment ? escape(environment) : NULL, *home = escape(g_get_home_dir());
    g_autofree char *own = plain ? g_build_filename(plain, "lib/python3*/site-packages", NULL) : NULL,
                    *user = g_build_filename(home, ".local/lib/python3*/site-packages", NULL);
    if (own) g_strv_builder_add(folders, own);
    g_strv_builder_add_many(folders, user, "/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages",
                            "/usr/lib/python3/dist-packages", "/usr/lib*/python3*/site-packages", NULL);
    return g_strv_builder_end(folders);
}

/* -- loading ------------------------------------------------------------------------------------------------------------------- */

/* It stays in memory when it is closed: its threads and static objects cannot be unloaded safely. */
static void *load(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE); }

/* The file that contains a symbol; if the system does not say, the name under which it was loaded. */
static char *file_of(const void *symbol, const char *name) {
    Dl_info info;
    return g_strdup(dladdr(symbol, &info) && info.dli_fname ? info.dli_fname : name);
}

/* Versions as users write them: numbers separated by a dot. */
static gboolean new_enough(const char *version) {
    char *end;
    const long major = strtol(version, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major > 1 || (major == 1 && minor >= RMIL_ORT_API);
}

static gboolean use(RmilOrtLibrary *library, const char *name, GError **error) {
    const RmilOrtBase *(*get)(void) = NULL;
    void *symbol = dlsym(library->handle, "OrtGetApiBase");
    if (!symbol) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not ONNX Runtime: it has no OrtGetApiBase", name);
    memcpy(&get, &symbol, sizeof get);
    library->path = file_of(symbol, name);
    const RmilOrtBase *base = get();
    library->version = base->version();
    library->api = new_enough(library->version) ? base->api(RMIL_ORT_API) : NULL;
    return library->api ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: is ONNX Runtime %s; 1.%d or newer is needed (version %d of its C API). " GET_IT,
                     library->path, library->version, RMIL_ORT_API, RMIL_ORT_API);
}

static gboolean load_file(RmilOrtLibrary *library, const char *path, GError **error) {
    if (!(library->handle = load(path))) {
        const char *reason = dlerror();
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: ONNX Runtime cannot be loaded: %s", path, reason ? reason : "no reason is given");
    }
    return use(library, path, error);
}

static gboolean load_named(RmilOrtLibrary *library, const char *named, GError **error) {
    if (!g_file_test(named, G_FILE_TEST_IS_DIR)) return load_file(library, named, error);
    g_autofree char *path = in_folder(named);
    return path ? load_file(library, path, error)
                : rmil_fail(error, RMIL_ERROR_ARGUMENT,
                            "%s: contains no libonnxruntime.so, neither directly nor in lib, capi, onnxruntime/capi or "
                            "lib/python3*/site-packages (" VARIABLE " names this folder). " GET_IT,
                            named);
}

/* The system's loader is tried first: a library that an administrator installed. */
static gboolean load_any(RmilOrtLibrary *library, GError **error) {
    static const char *const names[] = {"libonnxruntime.so.1", "libonnxruntime.so"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if ((library->handle = load(names[i]))) return use(library, names[i], error);
    g_auto(GStrv) folders = python_folders();
    for (char **folder = folders; *folder; folder++) {
        g_autofree char *pattern = g_build_filename(*folder, "onnxruntime/capi/libonnxruntime.so*", NULL), *path = last_match(pattern);
        if (path) return load_file(library, path, error);
    }
    g_autofree char *looked = g_strjoinv(", ", folders);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "ONNX Runtime, the library that runs ONNX models, is not installed: " VARIABLE " is not set, the system knows no "
                     "libonnxruntime.so.1, and there is no Python package onnxruntime in %s. " GET_IT,
                     looked);
}

RmilOrtLibrary *rmil_ort_library_new(GError **error) {
    g_autoptr(RmilOrtLibrary) library = g_new0(RmilOrtLibrary, 1);
    const char *named = g_getenv(VARIABLE);
    const gboolean good = named && *named ? load_named(library, named, error) : load_any(library, error);
    return good ? g_steal_pointer(&library) : NULL;
}

void rmil_ort_library_free(RmilOrtLibrary *library) {
    if (!library) return;
    if (library->handle) dlclose(library->handle);
    g_free(library->path);
    g_free(library);
}

gboolean rmil_ort_good(const RmilOrtLibrary *library, RmilOrtStatus *status, const char *what, GError **error) {
    if (!status) return TRUE;
    g_autofree char *message = g_strchomp(g_strdup(library->api->message(status)));
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s", what, message);
    library->api->release_status(status);
    return FALSE;
}
