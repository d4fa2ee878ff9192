/* SPDX-License-Identifier: Apache-2.0 */
/* Checks every golden file below a folder. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

void conformance_case(Conformance *c, gboolean passed, const char *name, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *detail = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (passed) c->passed++;
    else c->failed++;
    printf("%s %d - %s: %s\n", passed ? "ok" : "not ok", c->passed + c->failed, name, detail); /* TAP */
    fflush(stdout);
}

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

GPtrArray *conformance_files(const char *folder, const char *ending) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ending)) g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_name);
    return names;
}

static const struct {
    const char *name;
    void (*check)(Conformance *, const char *);
} parts[] = {
    {"models", conformance_models},
    {"multiclass", conformance_models},
    {"annotations", conformance_annotations},
    {"stats.json", conformance_stats},
    {"otsu", conformance_otsu},
    {"encoder", conformance_encoder},
    {"finetune", conformance_finetune},
    {"rankcross", conformance_rankcross},
    {"vit", conformance_vit},
    {"tasks/multiclass.json", conformance_multiclass},
    {"tasks/calibration.json", conformance_calibration},
    {"tasks/thresholds.json", conformance_thresholds},
    {"tasks/survival.json", conformance_survival},
};

int main(int argc, char **argv) {
    Conformance c = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--weights") == 0 && i + 1 < argc) c.weights = argv[++i];
        else if (!c.folder && argv[i][0] != '-') c.folder = argv[i];
        else c.folder = NULL, i = argc;
    }
    if (!c.folder) {
        fprintf(stderr, "usage: conformance DIR [--weights FILE]\n");
        return 2;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *path = g_build_filename(c.folder, parts[i].name, NULL);
        if (parts[i].check && g_file_test(path, G_FILE_TEST_EXISTS)) parts[i].check(&c, path);
    }
    printf("1..%d\n# %d passed, %d failed\n", c.passed + c.failed, c.passed, c.failed);
    return c.failed || !c.passed; /* a folder without a single case is a wrong folder */
}
