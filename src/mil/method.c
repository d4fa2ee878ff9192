/* The table of methods: a model and what guides it. */
#include "model.h"

#include <string.h>

/* The paper's methods, in its order, and what its Appendix 3 adds: a new one is a line here. */
static const RmilTrainMethod methods[] = {
    {"abmil", "abmil", RMIL_GUIDE_NONE, "AB-MIL"},          {"induction", "abmil", RMIL_GUIDE_INDUCTION, "Attention induction"},
    {"rank", "abmil", RMIL_GUIDE_RANK, "Rank induction"},   {"dsmil", "dsmil", RMIL_GUIDE_NONE, "DS-MIL"},
    {"ds-rank", "dsmil", RMIL_GUIDE_RANK, "DS-MIL + rank"}, {"clam-sb", "clam-sb", RMIL_GUIDE_NONE, "CLAM-SB"},
    {"clam-mb", "clam-mb", RMIL_GUIDE_NONE, "CLAM-MB"},     {"hipt", "hipt", RMIL_GUIDE_NONE, "HIPT"},
    {"hipt-rank", "hipt", RMIL_GUIDE_RANK, "HIPT + rank"},
};

const RmilTrainMethod *rmil_methods(gsize *count) {
    *count = G_N_ELEMENTS(methods);
    return methods;
}

const RmilTrainMethod *rmil_method_find(const char *name, GError **error) {
    g_autoptr(GString) known = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (strcmp(methods[i].name, name) == 0) return &methods[i];
        g_string_append_printf(known, "%s%s", i ? ", " : "", methods[i].name);
    }
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no method \"%s\"; there are %s", name, known->str);
    return NULL;
}

const RmilTrainMethod *rmil_method_of(const char *model, const char *guide, GError **error) {
    gboolean model_known = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (strcmp(methods[i].model, model) != 0) continue;
        if (strcmp(rmil_guide_name(methods[i].guide), guide) == 0) return &methods[i];
        model_known = TRUE;
    }
    g_autofree char *known = g_strjoinv(", ", (char **)rmil_model_names());
    if (model_known) rmil_fail(error, RMIL_ERROR_ARGUMENT, "--guide %s does not go with --model %s", guide, model);
    else rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no model \"%s\"; there are %s", model, known);
    return NULL;
}
