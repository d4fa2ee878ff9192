/* SPDX-License-Identifier: Apache-2.0 */
/* The task of a cohort: classes, times or numbers. */
#include "task-private.h"

#include <math.h>

#define SPREAD 15.0    /* largest lesion share of a subtype's slides / smallest */
#define LESIONLESS 0.2 /* in a cohort of times or numbers: share of slides without lesion */
#define SITES_MOST 100

/* Alphabetical after the negative one, which is the order in which cohorts are read. */
static const char *const names[RMIL_SYNTH_CLASSES_MOST] = {"normal", "ductal", "lobular", "mucinous", "papillary", "squamous"};

const char *rmil_synth_class_name(int label) { return names[label]; }

gboolean rmil_synth_task_check(const RmilSynthTask *t, GError **error) {
    if (t->classes && (t->classes < 2 || t->classes > RMIL_SYNTH_CLASSES_MOST))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--classes %" G_GINT64_FORMAT ": must be 2 … %d", t->classes, RMIL_SYNTH_CLASSES_MOST);
    if (t->classes && t->target != RMIL_SYNTH_LABEL)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--classes: a cohort of times or numbers has no classes: leave the option out");
    if (!(t->patients >= 0 && t->patients <= 1) && t->patients != RMIL_SYNTH_PATIENTS_USUAL)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--patients %g: must be 0 … 1", t->patients);
    if (t->sites < 0 || t->sites > SITES_MOST)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--sites %" G_GINT64_FORMAT ": must be 0 … %d", t->sites, SITES_MOST);
    return TRUE;
}

gboolean rmil_synth_task_usual(const RmilSynthTask *t) {
    return t->target == RMIL_SYNTH_LABEL && t->classes == 0 && t->patients == RMIL_SYNTH_PATIENTS_USUAL && t->sites == 0;
}

char *rmil_synth_task_text(const RmilSynthTask *t) {
    GString *text = g_string_new(NULL);
    if (t->classes) g_string_append_printf(text, ", %" G_GINT64_FORMAT " classes", t->classes);
    if (t->target != RMIL_SYNTH_LABEL) g_string_append(text, t->target == RMIL_SYNTH_SURVIVAL ? ", survival" : ", number");
    char share[G_ASCII_DTOSTR_BUF_SIZE];
    if (t->patients != RMIL_SYNTH_PATIENTS_USUAL)
        g_string_append_printf(text, ", two slides of %s of the patients", g_ascii_dtostr(share, sizeof share, t->patients));
    if (t->sites) g_string_append_printf(text, ", %" G_GINT64_FORMAT " sites", t->sites);
    return g_string_free(text, FALSE);
}

int rmil_synth_task_sizes(const RmilSynthTask *t, int64_t count, int64_t positives, int64_t sizes[RMIL_SYNTH_CLASSES_MOST]) {
    int classes = t->classes ? (int)t->classes : 2;
    for (int c = 0; c < classes; c++) sizes[c] = count / classes + (c < count % classes);
    if (t->classes) return classes;
    sizes[0] = t->target == RMIL_SYNTH_LABEL ? count - positives : llround(LESIONLESS * (double)count);
    sizes[1] = count - sizes[0];
    return classes;
}

int64_t rmil_synth_task_pairs(const RmilSynthTask *t, double usual, int64_t count) {
    double share = t->patients == RMIL_SYNTH_PATIENTS_USUAL ? usual : t->patients; /* n slides: n / (1 + share) patients */
    return MIN(count / 2, llround((double)count * share / (1 + share)));
}

double rmil_synth_task_share(const RmilSynthTask *t, double q, double most) {
    return t->target == RMIL_SYNTH_LABEL ? most * pow(SPREAD, q - 1) : most * q;
}

const char *rmil_synth_task_columns(const RmilSynthTask *t) {
    return t->target == RMIL_SYNTH_SURVIVAL ? "time,event,true_risk" : t->target == RMIL_SYNTH_NUMBER ? "value" : "label";
}

void rmil_synth_task_cells(const RmilSynthTask *t, RmilCsv *csv, const RmilSynthCase *one) {
    if (t->target == RMIL_SYNTH_SURVIVAL) {
        rmil_csv_number(csv, "%.1f", one->time);
        rmil_csv_whole(csv, one->event);
        rmil_csv_number(csv, "%.6f", one->risk);
    } else if (t->target == RMIL_SYNTH_NUMBER) rmil_csv_number(csv, "%.4f", one->value);
    else if (t->classes) rmil_csv_text(csv, names[one->label]);
    else rmil_csv_whole(csv, one->label);
}

void rmil_synth_site_cell(RmilCsv *csv, int site) {
    g_autofree char *name = g_strdup_printf("site_%d", site);
    rmil_csv_text(csv, name);
}
