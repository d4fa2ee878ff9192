/* SPDX-License-Identifier: Apache-2.0 */
/* Plans, folders of trainings, records; and the texts that these and model files hold. */
#include "fuzz.h"

#include "rankmil/decision.h"
#include "rankmil/prepare.h"
#include "rankmil/study.h"
#include "study/results.h"

#include <string.h>

/* A plan that is read, written in its fixed form, is the same plan. */
void fuzz_plan(const FuzzInput *input) {
    GError *error = NULL;
    g_autoptr(RmilStudyPlan) plan = rmil_study_plan_read(input->path, NULL, &error);
    FUZZ_EITHER(plan, error);
    g_clear_error(&error);
    if (!plan) return;
    fuzz_beside(input, "again.yaml", rmil_study_plan_text(plan));
    g_autofree char *path = g_build_filename(input->folder, "again.yaml", NULL);
    g_autoptr(RmilStudyPlan) again = rmil_study_plan_read(path, NULL, &error);
    if (!again || strcmp(rmil_study_plan_text(plan), rmil_study_plan_text(again)) != 0) abort();
}

/* -- the folder of a training ----------------------------------------------------------------------------------------------------------- */
void fuzz_run_begin(const FuzzInput *input) {
    fuzz_beside(input, "predictions.csv", "id,split,label,probability,logit\na,test,1,0.75,1.098612\nb,test,0,0.25,-1.098612\n");
}

void fuzz_run(const FuzzInput *input) {
    GError *error = NULL;
    RmilDecision decision;
    g_autoptr(RmilResults) results = rmil_results_read(input->folder, &error);
    FUZZ_EITHER(results, error);
    g_clear_error(&error);
    g_autofree char *config = rmil_run_config(input->folder, NULL);
    g_autofree char *difference = config ? rmil_config_difference(config, "{\"model\":\"rank\"}", NULL) : NULL;
    rmil_run_decision(input->folder, &decision, NULL);
    rmil_run_check_model(input->folder, NULL);
    g_autoptr(GPtrArray) entries = rmil_run_entries(input->folder, &error);
    FUZZ_EITHER(entries, error);
    g_clear_error(&error);
}

/* -- records --------------------------------------------------------------------------------------------------------------------------- */
void fuzz_record(const FuzzInput *input) {
    static GArray *(*const all[])(RmilStudy *, int64_t, GError **) = {rmil_study_epochs,    rmil_study_predictions, rmil_study_localisation,
                                                                      rmil_study_attention, rmil_study_patches,     rmil_study_lesions};
    GError *error = NULL;
    g_autoptr(RmilStudy) study = rmil_study_open(input->folder, &error);
    FUZZ_EITHER(study, error);
    g_clear_error(&error);
    for (int64_t i = 0; study && i < rmil_study_count(study); i++) {
        g_autofree char *title = rmil_study_run_title(rmil_study_run(study, i));
        for (gsize k = 0; rmil_study_run(study, i)->done && k < G_N_ELEMENTS(all); k++) {
            GArray *rows = all[k](study, i, &error);
            FUZZ_EITHER(rows, error);
            if (rows) g_array_unref(rows);
            g_clear_error(&error);
        }
    }
    g_autoptr(RmilResults) results = rmil_results_read(input->folder, &error);
    FUZZ_EITHER(results, error);
    g_clear_error(&error);
}

/* -- texts ------------------------------------------------------------------------------------------------------------------------------ */
void fuzz_preprocessing(const FuzzInput *input) {
    GError *error = NULL;
    RmilPrepareOptions options;
    g_autofree char *beside = g_build_filename(input->folder, "cohort.csv", NULL);
    JsonNode *node = NULL;
    const gboolean read = rmil_preprocessing_read(beside, &node, &error);
    FUZZ_EITHER(read, error);
    g_clear_error(&error);
    if (!node) return;
    rmil_prepare_options_init(&options);
    const gboolean applied = rmil_preprocessing_apply(node, &options, &error);
    FUZZ_EITHER(applied, error);
    g_clear_error(&error);
    if (applied && rmil_prepare_options_check(&options, NULL)) json_node_unref(rmil_preprocessing_get(&options));
    rmil_prepare_options_clear(&options);
    json_node_unref(node);
}

/* The JSON of a task and of a decision, which model files and records hold; what is read can be written and read again. */
void fuzz_texts(const FuzzInput *input) {
    g_autofree char *text = g_strndup(input->data, input->size);
    GError *error = NULL;
    RmilTask task, same;
    double first, second;
    gboolean good = rmil_task_parse(text, &task, &error);
    FUZZ_EITHER(good, error);
    g_clear_error(&error);
    g_autofree char *written = good ? rmil_task_text(&task) : NULL;
    if (good && (!rmil_task_parse(written, &same, NULL) || !rmil_task_equal(&task, &same))) abort();
    RmilDecision decision;
    good = rmil_decision_parse(text, &decision, &error);
    FUZZ_EITHER(good, error);
    g_clear_error(&error);
    g_autofree char *decided = good ? rmil_decision_text(&decision) : NULL;
    if (good && !rmil_decision_parse(decided, &decision, NULL)) abort();
    good = rmil_tile_mpps_parse(text, &first, &second, &error);
    FUZZ_EITHER(good, error);
    g_clear_error(&error);
}
