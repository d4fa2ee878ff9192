/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil mil: multiple instance learning models, their training and their files. The formulas are in docs/models.md. */
#ifndef RANKMIL_MIL_H
#define RANKMIL_MIL_H

#include "evaluate.h"

G_BEGIN_DECLS

typedef enum { RMIL_GUIDE_NONE, RMIL_GUIDE_INDUCTION, RMIL_GUIDE_RANK, RMIL_GUIDE_EVENNESS, RMIL_GUIDE_LABELS } RmilGuide;
RMIL_API const char *rmil_guide_name(RmilGuide guide); /* "none", "induction", "rank", "evenness", "labels" */
RMIL_API const char *const *rmil_guide_names(void);    /* NULL-terminated */
/* Does the guide act only on annotated slides? Other guides also act on negative slides, which need no annotation. */
RMIL_API gboolean rmil_guide_needs_annotations(RmilGuide guide);

/* Loss of survival models: discrete-time hazards, or the Cox partial likelihood over the slides of a step. */
typedef enum { RMIL_SURVIVAL_HAZARD, RMIL_SURVIVAL_COX } RmilSurvivalLoss;

#define RMIL_MODEL_OWN 32
/* Everything that determines a model's shape and loss; saved with the model. Numbers in the comments are defaults; docs/options.md
 * lists all values and bounds. */
typedef struct {
    char model[16]; /* "abmil", "dsmil", "clam-sb", "clam-mb", "hipt", "gated-abmil", "transmil", "patch-linear", "patch-cnn" */
    RmilGuide guide;
    int64_t dim;           /* D, the feature dimension */
    int64_t hidden;        /* adaptor width: 256 (abmil, dsmil), 512 (clam, gated-abmil, transmil), 192 (hipt); 0: the model's default */
    int64_t attention_dim; /* 384 (dsmil), 256 (clam); 0: the model's default */
    double dropout;        /* 0 */
    double threshold;      /* T of the attention threshold T/K; < 0: no threshold. The paper uses 1 */
    gboolean even_bags;    /* FALSE. TRUE: T also applies to bags of one patch or of equal scores, as in the released code */
    double sigma, margin, lambda; /* rank loss, and weight of the guide: 1, 1, 1 */
    int64_t rank_sample;          /* 0: all pairs, exactly; N: up to N annotated and N other patches per step */
    RmilTask task;                /* what the model predicts */
    int64_t bins;                 /* discrete-time survival: number of time bins, 4 */
    int survival_loss;            /* RmilSurvivalLoss */
    double hazard_alpha;          /* discrete-time survival: censored slides are weighted by 1 − alpha, events by 1; 0 … 1: 0 */
    int64_t patch_hidden;         /* patch classifiers: width of the hidden layer; 0: none */
    int64_t patch_top;            /* patch classifiers: the slide's logit is the mean of this many highest patch logits, 1 */
    /* Set by training from the targets of the training set, and kept so that predictions have the targets' unit. */
    double edges[RMIL_OUTPUTS_MOST + 1]; /* discrete-time survival: bin edges, ascending, bins + 1; all 0 before training */
    double mean, sd;                     /* regression: mean and SD of the values; 0 and 1 before training */
    int64_t own[RMIL_MODEL_OWN];         /* options of single models and guides: use rmil_model_config_get and _set */
} RmilModelConfig;
/* Read or set any number in the configuration by its option name ("clam-k", "region-size") or key ("clam_k", "region_rows"). get returns
 * NaN if there is no such option. set fails with ARGUMENT for unknown options and values out of bounds. */
RMIL_API double rmil_model_config_get(const RmilModelConfig *config, const char *name);
RMIL_API gboolean rmil_model_config_set(RmilModelConfig *config, const char *name, double value, GError **error);

/* How many patches of a bag are annotated: none, all, or some, in which case there are pairs to rank. Counts regions instead for hipt,
 * where a region is annotated if any of its patches is. Thread-safe. */
typedef enum { RMIL_ANNOTATED_NONE, RMIL_ANNOTATED_ALL, RMIL_ANNOTATED_SOME } RmilAnnotated;
RMIL_API RmilAnnotated rmil_annotated(const RmilModelConfig *config, const RmilBag *bag);

/* Fills in the paper's values for this model and guide. ARGUMENT: an unknown model, or a guide that the model does not support. */
RMIL_API gboolean rmil_model_config_init(RmilModelConfig *config, const char *model, RmilGuide guide, GError **error);
RMIL_API const char *const *rmil_model_names(void); /* NULL-terminated */

/* How figures draw a method: colour, dash pattern and gnuplot point type. Colours are the Okabe-Ito palette and a few darker ones. No two
 * methods share a dash pattern, so they can also be told apart by colour-blind readers and in grayscale print. */
typedef struct {
    const char *colour, *dash;
    int point;
} RmilLineStyle;

/* A method, as users see it: a model, the guide of its attention, and possibly one option. Static. */
typedef struct {
    const char *name, *model;
    RmilGuide guide;
    const char *option, *value; /* an option and its value that also define the method: "pairs", "both"; or NULL */
    const char *title;          /* for readers: "Rank induction" */
    RmilLineStyle style;
    gboolean reference; /* the paper's method, with which others are compared by default */
    gboolean partial;   /* recommended if outlines do not cover all of each lesion (docs/guides.md) */
    gboolean patches;   /* its model learns only from patch labels, so it needs annotated slides */
    const char
        *source; /* what the model is and who published it: "attention-based multiple-instance learning, Ilse et al. 2018"; may be NULL */
} RmilTrainMethod;
/* All methods, model by model, in the order of the paper and its appendix. */
RMIL_API const RmilTrainMethod *rmil_methods(gsize *count);
/* Finds a method by name: abmil, induction, rank, rank-across, rank-both … (docs/models.md). ARGUMENT: unknown; the error lists all. */
RMIL_API const RmilTrainMethod *rmil_method_find(const char *name, GError **error);
/* The method with this model and guide and no option of its own. guide: a name, or NULL for the model's default guide. ARGUMENT: an
 * unknown model, or a guide that cannot be used with it. */
RMIL_API const RmilTrainMethod *rmil_method_of(const char *model, const char *guide, GError **error);
/* Fills in the paper's configuration of the method: rmil_model_config_init, and the method's option. */
RMIL_API gboolean rmil_method_config_init(const RmilTrainMethod *method, RmilModelConfig *config, GError **error);
/* The method that a configuration belongs to, by its model and guide. A method with an option of its own is preferred if the configuration
 * has that option's value. NULL if there is none. */
RMIL_API const RmilTrainMethod *rmil_method_of_config(const RmilModelConfig *config);
RMIL_API const RmilTrainMethod *rmil_method_reference(void);
RMIL_API const RmilTrainMethod *rmil_method_partial(void);
/* The method with the same model and no guide; NULL if there is none. */
RMIL_API const RmilTrainMethod *rmil_method_unguided(const RmilTrainMethod *method);

typedef struct _RmilModel RmilModel;
/* A model with random parameters drawn from the seed. Errors: ARGUMENT, MEMORY. Free with rmil_model_free. */
RMIL_API RmilModel *rmil_model_new(const RmilModelConfig *config, uint64_t seed, GError **error);
RMIL_API void rmil_model_free(RmilModel *model);
RMIL_API const RmilModelConfig *rmil_model_config(const RmilModel *model); /* owned by the model */
/* Does the model read the pixels of patches (rmil_bag_set_slide) instead of features? */
RMIL_API gboolean rmil_model_sees(const RmilModel *model);
/* Number of threads with which such a model reads and computes; ≤ 0, the default: all processors. Call it before the first prediction.
 * Other models predict on the calling thread. */
RMIL_API void rmil_model_set_threads(RmilModel *model, int threads);
/* The cut-off and calibration that are saved with the model; chosen is FALSE if there are none. The getter's result is owned by the model;
 * the setter copies. */
RMIL_API const RmilDecision *rmil_model_decision(const RmilModel *model);
RMIL_API void rmil_model_set_decision(RmilModel *model, const RmilDecision *decision);
/* Writes only the weights, for other programs. layout: "paper" for the tensor names of the paper's code, "clam" for those of CLAM
 * (mahmoodlab/CLAM; only clam-sb and clam-mb). The file is safetensors if the path ends in .safetensors, else a state_dict as torch.save
 * writes it. */
RMIL_API gboolean rmil_model_export(const RmilModel *model, const char *path, const char *layout, GError **error);
/* Loads a model file: safetensors, with the tensor names of the released code's state_dict and the configuration as metadata. Also loads a
 * state_dict of that code without a configuration, from torch.save or safetensors, possibly nested in another dictionary. The model is
 * then recognised by its tensors, and everything that they do not determine gets the paper's value (no guide, T = 1). If the classifier has
 * more than two classes, their names are "0" … "C − 1". Errors: IO, FORMAT, MEMORY. Free with rmil_model_free. */
RMIL_API RmilModel *rmil_model_load(const char *path, GError **error);
/* Loads such a state_dict as a model that you know. known: from rmil_model_config_init, with threshold, heads, region_rows and
 * region_columns set to the values used in training. Sizes come from the tensors; the task comes from `known` if the number of outputs
 * matches. ARGUMENT: the file was written by rankmil and has a configuration of its own. */
RMIL_API RmilModel *rmil_model_load_as(const char *path, const RmilModelConfig *known, GError **error);
RMIL_API gboolean rmil_model_save(const RmilModel *model, const char *path, GError **error);
/* Writes an ONNX file (operator set 17) for programs without rankmil, with the configuration as metadata.
 * Inputs: "features" (K × D, any K). patch-cnn has instead "tiles" (K × 3 × side × side, float32, normalised by ImageNet's mean and SD).
 * hipt also has "coords" (K × 2, int64, level-0 px) and "tile_size" (1, float64, level-0 px; patch_size_level0).
 * Outputs, with the values of rmil_model_predict: two classes "probability" (1), "logit" (1); C classes "probabilities" (C), "logits" (C);
 * survival "risk" (1) and, for discrete time, "survival" (bins); regression "value" (1); always "attention" and "scores" (K; or
 * rows × K for models with several rows, except with two classes).
 * ARGUMENT: the file would exceed 2 GiB. */
RMIL_API gboolean rmil_model_onnx_write(const RmilModel *model, const char *path, GError **error);

/* A model's prediction for one bag. */
typedef struct {
    double probability; /* two classes: probability of label 1; else NaN */
    double logit;       /* two classes: log odds, i.e. z if there is one logit, z_1 − z_0 if there are two; else NaN */
    double calibrated;  /* calibrated probability of label 1 or, with more than two classes, of the predicted class; NaN: not calibrated */
    double loss;        /* slide loss for a known target; patch classifiers: the loss of the patches, if their labels are known */
    int predicted;      /* the most probable class, the first one if several tie; −1 for survival and regression */
    double answer;      /* survival: risk (higher means earlier); regression: the value; classes: NaN */
    int count;          /* number of values */
    double values[RMIL_OUTPUTS_MOST]; /* classes: the probability of each; discrete-time survival: S at the end of each bin; else none */
} RmilPrediction;
/* Predicts one bag. target: NULL if unknown; the loss is then 0. scores: attention scores before the softmax; attention: the weights
 * with which patches are pooled (patch classifiers: patch probabilities, normalised to sum to 1). Both are arrays of K floats that the
 * caller provides, or NULL. For hipt, every patch gets the value of its region.
 * Some models have several rows of scores and attention, one per output: clam-mb always (row c belongs to class c), dsmil with more than
 * two classes or bins, patch classifiers with more than two classes. This function returns the row of label 1 for two classes, that of the
 * predicted class for more, and the mean of the rows for survival and regression.
 * Thread-safe: several threads may use the same model. DATA: the bag has no features or another feature dimension, or the label is out of
 * range. */
RMIL_API gboolean rmil_model_predict(const RmilModel *model, const RmilBag *bag, const RmilTarget *target, RmilPrediction *prediction,
                                     float *scores, float *attention, GError **error);
#define RMIL_ROW_USUAL (-1)
RMIL_API int rmil_model_rows(const RmilModel *model); /* number of rows, ≥ 1 */
/* The same with the scores and attention of one row, 0 … rows − 1 (else ARGUMENT), or RMIL_ROW_USUAL for the choice of rmil_model_predict.
 * Models with a single row ignore `row`. */
RMIL_API gboolean rmil_model_predict_row(const RmilModel *model, const RmilBag *bag, const RmilTarget *target, int row,
                                         RmilPrediction *prediction, float *scores, float *attention, GError **error);

/* Predicts with count ≥ 1 models of the same task and averages their probabilities, answers, values, scores and attention. logit and
 * predicted are computed from the mean probabilities; loss is NaN; with more than two classes, calibrated is NaN too. Values are left out
 * (count 0) if the time bins of the models differ. *sd: standard deviation over the models (n − 1) of the probability of label 1, of the
 * predicted class's probability, or of the answer. With one model, the result is that of rmil_model_predict, and *sd is NaN.
 * ARGUMENT: the tasks differ. */
RMIL_API gboolean rmil_ensemble_predict(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target,
                                        RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error);
/* The same with the scores and attention of one row (rmil_model_predict_row), for heat maps of one class. RMIL_ROW_USUAL: with more than
 * two classes, the class that the ensemble predicts. */
RMIL_API gboolean rmil_ensemble_predict_row(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target,
                                            int row, RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error);

/* -- training: the paper's protocol (docs/models.md, Training) --------------------------------------------------------- */
typedef struct {
    double learning_rate; /* 2e-4 */
    double weight_decay;  /* 1e-5, added to the gradient (L2, not AdamW) */
    int64_t epochs;       /* at most 200 */
    int64_t patience;     /* stop after 7 epochs without a better validation loss */
    int64_t warmup;       /* never stop before epoch 20 */
    int64_t group;        /* slides per Adam step: 8 */
    gboolean balanced;    /* TRUE: class-balanced sampling with replacement (the paper's code), only for classes; FALSE: shuffle */
    gboolean stop_metric; /* TRUE: the best epoch has the best val_metric, then the lowest val_loss; FALSE: the lowest val_loss */
    uint64_t seed;
    int threads; /* ≤ 0: all processors */
    /* NULL: use `threads` throughout. Otherwise called on the calling thread before every epoch; returns the number of threads to use from
     * now on. now: the current number. The result of the training does not depend on it. */
    int (*ask_threads)(gpointer ask_user, int now);
    gpointer ask_user;
    /* patch-cnn: file with the network's initial weights, and its SHA-256; borrowed. The result depends on them. NULL: random weights. */
    const char *weights, *weights_sha256;
    /* Initial parameters, from a model with the same configuration except for what training sets; borrowed. NULL: random parameters. For
     * trainings that are not recorded: the result depends on this model, and there can be no checkpoint. */
    const RmilModel *warm;
} RmilTrainConfig;
RMIL_API void rmil_train_config_init(RmilTrainConfig *config);

typedef struct {
    int64_t epoch; /* from 1 */
    double train_loss, train_slide_loss, train_guide_loss, val_loss;
    double val_metric; /* on the validation set: AUROC, mean one-vs-rest AUROC, c-index or R², as the task requires; NaN: undefined */
    gboolean best;     /* the best so far; without a validation set, every epoch */
} RmilEpoch;
RMIL_API const char *rmil_epoch_metric(const RmilTask *task); /* the name of val_metric: "AUROC", "mean AUROC", "c-index", "R²" */

/* Trains a model on bags[i] with targets[i], i in train_set. The validation set val_set selects the best epoch and stops training; without
 * one (val_count 0), training runs through all epochs and keeps the last. model->dim 0: taken from the bags. Bags of a group are processed
 * in parallel; the result is identical bit for bit for any number of threads. Bags are only read, so trainings may share them.
 * checkpoint: path of a file in which progress is saved, or NULL. A training that was killed continues from it with the same result, even
 * if `epochs` has been raised. A checkpoint that is broken or belongs to another training is ignored, with a warning. The file is not
 * removed.
 * history: a GArray of RmilEpoch that is overwritten, including epochs before an interruption; or NULL.
 * Patch classifiers leave out training slides on which no patch label is known, with a warning (docs/models.md, Patch classifiers).
 * The configuration of the result holds the bin edges, or mean and SD, of the training targets. Free it with rmil_model_free.
 * Errors: DATA if the training set lacks a class (for patch classifiers: known patches of a class), an event, or different values, if
 * feature dimensions differ, or if the loss is no longer finite; ARGUMENT for options out of bounds, or `warm` with a checkpoint. */
RMIL_API RmilModel *rmil_train(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilBag *const *bags,
                               const RmilTarget *targets, const int64_t *train_set, int64_t train_count, const int64_t *val_set,
                               int64_t val_count, const char *checkpoint, GArray *history, const RmilMonitor *monitor, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilModel, rmil_model_free)

G_END_DECLS
#endif
