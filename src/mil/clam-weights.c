/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM's own weights (mahmoodlab/CLAM): the paper's adaptor.0 is called attention_net.0 there, the gates are in attention_net.3 (2 in
 * models without dropout), and `classifiers` is one layer in the single branch and one layer per class in the multi branch, which lacks the
 * unused `classifier`. */
#include "clam-weights.h"

#include <string.h>

static const struct {
    const char *ours, *theirs; /* up to "weight" and "bias" */
    gboolean branches;         /* only in clam-mb; of the other rows, those of `classifier` are only in clam-sb */
} names[] = {{"adaptor.0.", "attention_net.0.", FALSE},
             {"attention_net.attention_a.0.", "attention_net.3.attention_a.0.", FALSE},
             {"attention_net.attention_b.0.", "attention_net.3.attention_b.0.", FALSE},
             {"attention_net.fc.", "attention_net.3.attention_c.", FALSE},
             {"instance_classifiers.", "instance_classifiers.", FALSE},
             {"bag_classifiers.", "classifiers.", TRUE},
             {"classifier.", "classifiers.", FALSE}};

static char *their_name(const char *ours, const RmilModelClass *class) {
    const gboolean branches = class->rows != NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(ours, names[i].ours) && !(branches && strcmp(names[i].ours, "classifier.") == 0))
            return g_strconcat(names[i].theirs, ours + strlen(names[i].ours), NULL);
    return NULL;
}

/* Theirs -> ours; NULL: a tensor that CLAM does not have. `branches`: are there classifiers.0 …? */
static char *our_name(const char *theirs, gboolean branches) {
    g_autofree char *as_three = g_str_has_prefix(theirs, "attention_net.2.") ? g_strconcat("attention_net.3.", theirs + 16, NULL)
                                                                             : g_strdup(theirs);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(as_three, names[i].theirs) && (branches || !names[i].branches))
            return g_strconcat(names[i].ours, as_three + strlen(names[i].theirs), NULL);
    return NULL;
}

static gboolean has_branch(const RmilTensors *own, int c) {
    g_autofree char *name = g_strdup_printf("bag_classifiers.%d.weight", c);
    return rmil_tensors_find(own, name) != NULL;
}

/* The layer that exists only in the paper's code, which does not use it. */
static gboolean add_unused(RmilTensors *own, GError **error) {
    const RmilTensor *first = rmil_tensors_find(own, "adaptor.0.weight");
    int classes = 0;
    while (classes < RMIL_OUTPUTS_MOST && has_branch(own, classes)) classes++;
    const int64_t weight[] = {classes, first && first->rank == 2 ? first->shape[0] : 0}, bias[] = {classes};
    if (weight[1] > 1 << 20) return rmil_fail(error, RMIL_ERROR_FORMAT, "its layers are too large");
    void *zeros = rmil_alloc(classes * MAX(weight[1], 1), sizeof(float), error);
    if (!zeros) return FALSE;
    rmil_tensors_keep(own, zeros, rmil_free);
    return rmil_tensors_add(own, "classifier.weight", RMIL_DTYPE_F32, 2, weight, zeros, error) &&
           rmil_tensors_add(own, "classifier.bias", RMIL_DTYPE_F32, 1, bias, zeros, error);
}

static RmilTensors *read_theirs(const RmilTensors *file, GError **error) {
    g_autoptr(RmilTensors) own = rmil_tensors_new(rmil_tensors_path(file));
    const gboolean branches = rmil_tensors_find(file, "classifiers.0.weight") != NULL;
    for (int64_t i = 0; i < rmil_tensors_count(file); i++) {
        const RmilTensor *tensor = rmil_tensors_at(file, i);
        g_autofree char *name = our_name(tensor->name, branches);
        if (strstr(tensor->name, ".module.")) {
            rmil_fail(error, RMIL_ERROR_FORMAT, "it is a CLAM model without gates (gate=False), which rankmil does not support");
            return NULL;
        }
        if (!rmil_tensors_add(own, name ? name : tensor->name, tensor->dtype, tensor->rank, tensor->shape, tensor->data, error))
            return NULL;
    }
    return !branches || add_unused(own, error) ? g_steal_pointer(&own) : NULL;
}

const RmilForeignNames rmil_clam_names = {
    .layout = "clam", .title = "CLAM", .first = "attention_net.0.weight", .name = their_name, .read = read_theirs};
