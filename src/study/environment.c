/* SPDX-License-Identifier: Apache-2.0 */
/* What a result was computed with: this program's commit, its libraries, the processor and the system. */
#include "rankmil/study.h"

#include "base/base-private.h"
#include "study/commit.h"

#include <hdf5.h>
#include <json-glib/json-glib.h>
#include <openslide.h>
#include <oneapi/dnnl/dnnl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/utsname.h>
#include <tiffio.h>
#include <vips/vips.h>

/* The value in the first line "KEY…: value" or "KEY=value" of a small system file; NULL if there is none. */
static char *line_of(const char *path, const char *key, char divider) {
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) return NULL;
    const char *at = g_str_has_prefix(text, key) ? text : strstr(text, key);
    const char *from = at ? strchr(at, divider) : NULL;
    if (!from) return NULL;
    g_autofree char *value = g_strndup(from + 1, strcspn(from + 1, "\n"));
    g_auto(GStrv) parts = g_strsplit(g_strstrip(value), "\"", -1);
    g_autofree char *joined = g_strjoinv("", parts);
    return g_strdup(g_strstrip(joined));
}

static const char *instructions(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16") ? "AVX-512 with bfloat16"
           : __builtin_cpu_supports("avx512f")  ? "AVX-512"
           : __builtin_cpu_supports("avx2")     ? "AVX2"
                                                : "SSE2";
#else
    return "the compiler's usual";
#endif
}

static void add_libraries(JsonObject *libraries) {
    unsigned major, minor, release;
    const dnnl_version_t *dnn = dnnl_version();
    g_autofree char *glib = g_strdup_printf("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version),
                    *onednn = g_strdup_printf("%d.%d.%d", dnn->major, dnn->minor, dnn->patch);
    H5get_libversion(&major, &minor, &release);
    g_autofree char *hdf5 = g_strdup_printf("%u.%u.%u", major, minor, release);
    g_auto(GStrv) tiff = g_strsplit(TIFFGetVersion(), "\n", 2), tiff_words = g_strsplit(tiff[0], "Version ", 2);
    const struct {
        const char *name, *version;
    } all[] = {{"GLib", glib},
               {"HDF5", hdf5},
               {"libtiff", tiff_words[0] && tiff_words[1] ? tiff_words[1] : tiff[0]},
               {"libvips", vips_version_string()},
               {"oneDNN", onednn},
               {"OpenSlide", openslide_get_version()},
               {"SQLite", sqlite3_libversion()}};
    for (gsize k = 0; k < G_N_ELEMENTS(all); k++) json_object_set_string_member(libraries, all[k].name, all[k].version);
}

JsonNode *rmil_environment(void) {
    JsonObject *out = json_object_new(), *libraries = json_object_new();
    struct utsname system = {0};
    g_autofree char *processor = line_of("/proc/cpuinfo", "model name", ':'), *named = line_of("/etc/os-release", "PRETTY_NAME", '=');
    uname(&system);
    g_autofree char *text = g_strdup_printf("%s%s%s %s, %s", named ? named : "", named ? ", " : "", system.sysname, system.release,
                                            system.machine);
    json_object_set_string_member(out, "rankmil", rmil_version());
    json_object_set_string_member(out, "commit", RMIL_COMMIT);
    json_object_set_string_member(out, "compiler",
#if defined(__clang__)
                                  "clang " __clang_version__
#else
                                  "gcc " __VERSION__
#endif
    );
    json_object_set_string_member(out, "processor", processor ? processor : "not known");
    json_object_set_int_member(out, "processors", g_get_num_processors());
    json_object_set_string_member(out, "instructions", instructions());
    json_object_set_string_member(out, "system", text);
    add_libraries(libraries);
    json_object_set_object_member(out, "libraries", libraries);
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, out);
    return node;
}
