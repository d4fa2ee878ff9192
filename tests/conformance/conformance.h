/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a folder of golden numbers made by other people's code: `conformance DIR [--weights FILE]`. */
#ifndef RMIL_CONFORMANCE_H
#define RMIL_CONFORMANCE_H

#include "rankmil/rankmil.h"

typedef struct {
    const char *folder;  /* DIR */
    const char *weights; /* ResNet-50 weights, or NULL */
    int passed, failed;
} Conformance;

/* Counts one case and prints one line: what it is, whether it passed, and the largest deviation found. */
void conformance_case(Conformance *c, gboolean passed, const char *name, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* The names of files in a folder with this ending, sorted; free with g_ptr_array_unref. */
GPtrArray *conformance_files(const char *folder, const char *ending);

/* One function per sub-folder or file; each checks every file in it. */
void conformance_models(Conformance *c, const char *path);
void conformance_stats(Conformance *c, const char *path);
void conformance_otsu(Conformance *c, const char *path);
void conformance_annotations(Conformance *c, const char *path);
void conformance_encoder(Conformance *c, const char *path);
void conformance_finetune(Conformance *c, const char *path);
void conformance_rankcross(Conformance *c, const char *path);
void conformance_vit(Conformance *c, const char *path);
void conformance_multiclass(Conformance *c, const char *path);
void conformance_calibration(Conformance *c, const char *path);
void conformance_thresholds(Conformance *c, const char *path);
void conformance_survival(Conformance *c, const char *path);

#endif
