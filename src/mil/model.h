/* SPDX-License-Identifier: Apache-2.0 */
/* What the trainer and the model files need of a model, and what a model file needs of them.
 *
 * A model is one file that defines its RmilModelClass, and its name in the list in meson.build (docs/extending.md). Its parameters are
 * one flat float array; named tensors are windows of it, in the order in which `layout` adds them. A step does one bag on one
 * thread, forward and (when asked) backward, in an order of operations that depends on nothing but the bag. */
#ifndef RMIL_MIL_MODEL_H
#define RMIL_MIL_MODEL_H

#include "rankmil/mil.h"
#include "tensors/tensors-private.h"

/* -- memory that a step uses and forgets ------------------------------------------------------------------------------ */
/* Taken memory is 64-byte aligned, NOT zeroed, and lives until the next reset. Blocks are kept between steps, so that
 * only the first steps ask the system for memory. One arena per thread. */
typedef struct _RmilArena RmilArena;
RmilArena *rmil_arena_new(void);
void rmil_arena_free(RmilArena *arena);
void rmil_arena_reset(RmilArena *arena);
size_t rmil_arena_size(const RmilArena *arena);                                  /* bytes that it has of the system */
size_t rmil_arena_used(const RmilArena *arena);                                  /* … that are taken */
void *rmil_arena_take(RmilArena *arena, int64_t n, size_t size, GError **error); /* n × size bytes; NULL on failure */
static inline float *rmil_arena_floats(RmilArena *arena, int64_t n, GError **error) {
    return rmil_arena_take(arena, n, sizeof(float), error);
}
/* What was taken after the mark is given back: for scratch inside a loop. */
typedef struct {
    guint block;
    size_t used;
} RmilArenaMark;
RmilArenaMark rmil_arena_mark(const RmilArena *arena);
void rmil_arena_release(RmilArena *arena, RmilArenaMark mark);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilArena, rmil_arena_free)

/* -- parameters --------------------------------------------------------------------------------------------------------- */
typedef enum {
    RMIL_INIT_UNIFORM,  /* uniform in ±scale */
    RMIL_INIT_CONSTANT, /* every entry is scale */
    RMIL_INIT_NORMAL    /* mean 0, SD scale, drawn again beyond two SD (PyTorch's trunc_normal_) */
} RmilInit;

typedef struct {
    char name[64]; /* as in the released code's state_dict */
    int rank;      /* 1 … 4 */
    int64_t shape[4];
    int64_t count;  /* product of shape */
    int64_t offset; /* of the first entry in the flat array; a multiple of 16 floats */
    RmilInit init;
    double scale;
    gboolean unused; /* Adam leaves it alone: it lies in files for the released code's sake, or is learned otherwise, or frozen */
} RmilParameter;

typedef struct {
    GArray *tensors; /* RmilParameter, one per named tensor */
    int64_t count;   /* floats in the flat array, padding included (padding is 0 and stays 0) */
} RmilParameterLayout;

/* Adds one tensor behind those there are and returns its index. `name` may hold printf directives. */
int rmil_parameter_add(RmilParameterLayout *layout, RmilInit init, double scale, int rank, int64_t d0, int64_t d1, int64_t d2,
                       const char *name, ...) G_GNUC_PRINTF(8, 9);
int rmil_parameter_add_shape(RmilParameterLayout *layout, RmilInit init, double scale, int rank, const int64_t *shape, const char *name);
/* nn.Linear: NAME.weight (out × in) and, with `bias`, NAME.bias (out), both uniform in ±1/sqrt(in). Returns the index of the
 * weight; the bias has the next. */
int rmil_parameter_linear(RmilParameterLayout *layout, const char *name, int64_t out, int64_t in, gboolean bias);

typedef struct _RmilOnnx RmilOnnx;    /* tensors/onnx-graph.h */
typedef struct RmilMember RmilMember; /* guide.h */

/* -- one bag ------------------------------------------------------------------------------------------------------------ */
/* Inputs, all only read, and the caller's arrays for what comes back. */
typedef struct {
    const RmilModelConfig *config;
    const RmilParameterLayout *layout;
    const float *parameters;   /* layout->count */
    const RmilBag *bag;        /* features K × D in bag->precision; dim was checked against config */
    RmilTarget target;         /* unknown: then no loss is computed and no gradient asked for */
    const double *slope;       /* one number per output, ∂L/∂logits, for losses that are not of one slide alone: the slide loss is then
                                 slope · logits, whatever the target. NULL: the task's own loss */
    gboolean train;            /* dropout, pair sampling and CLAM's instance branch act only in training; a patch's loss: patch.h */
    uint64_t seed, stream;     /* of every random choice of this step (training only); one stream per (epoch, position) */
    float *gradient;           /* layout->count, OVERWRITTEN with ∂loss/∂parameters (zero-fill what is not touched); NULL:
                                 forward only */
    int64_t keep;              /* bytes that a model may keep for its way back before it makes the rest anew, to the same
                                 bits (hipt); 0: the model's own bound */
    const RmilMember *member;  /* what the bags of the step of Adam together ask of this one's scores; NULL: it is alone */
    const float *anchor;       /* rows × units: scores of the averaged copy (rmil_guide_anchor); NULL: none */
    float *scores, *attention; /* rows × K (rmil_model_config_rows), or NULL. hipt: every patch carries its region's value */
} RmilStep;

typedef struct {
    double logits[RMIL_OUTPUTS_MOST]; /* rmil_model_outputs of them */
    double loss;                      /* what `gradient` is the gradient of; 0 without a target */
    double slide_loss;                /* the task's alone (loss.h) */
    double guide_loss;                /* λ × guide (or CLAM's weighted instance loss), 0 where it does not apply */
} RmilOutcome;

/* What a model shows its guide after its way forward: of every patch (hipt: region) the score, the attention, whether it is annotated, and
 * its share of tissue. count 0: the model has nothing to show. All stays valid as long as the step's arena. */
typedef struct {
    const float *scores, *attention; /* attention NULL: the model's guides act on scores alone */
    const uint8_t *labels;           /* NULL: not known */
    const float *tissue;             /* or NULL */
    int64_t count;
    int rows;     /* of scores and attention, rows × count; 0: one */
    double scale; /* attention is softmax(scale × scores), before any threshold; 0: 1 */
} RmilGuided;

typedef struct RmilModelClass RmilModelClass;

/* Rows for fields that models share in RmilModelConfig; a model names its own value. */
#define RMIL_FIELD(field) .offset = offsetof(RmilModelConfig, field), .shared = TRUE
#define RMIL_HIDDEN(width)                                                                                                                 \
    { RMIL_WHOLE("hidden", "hidden", width, 1, 16384, "N", "width of the hidden layer"), RMIL_FIELD(hidden), .place = 2 }
#define RMIL_ATTENTION_DIM(width)                                                                                                          \
    {                                                                                                                                      \
        RMIL_WHOLE("attention-dim", "attention_dim", width, 1, 16384, "N", "width of the attention layer"), RMIL_FIELD(attention_dim),     \
            .place = 3                                                                                                                     \
    }
#define RMIL_DROPOUT                                                                                                                       \
    {                                                                                                                                      \
        RMIL_NUMBER("dropout", "dropout", 0, 0, 0.95, "X", "share of hidden units dropped in training"), RMIL_FIELD(dropout),              \
            .place = 4, .without = "takes no dropout"                                                                                      \
    }
#define RMIL_THRESHOLD                                                                                                                     \
    {                                                                                                                                      \
        RMIL_NUMBER("threshold", "threshold", 1, -RMIL_OPTION_MOST, 1e9, "T", "attention threshold T; -1: none"), RMIL_FIELD(threshold),   \
            .untold = TRUE, .place = 5, .elsewhere = -1, .without = "has no attention threshold: leave it out"                             \
    }

#define RMIL_EVEN_BAGS                                                                                                                     \
    {                                                                                                                                      \
        RMIL_WORD("even-bags", "even_bags", FALSE, rmil_even_bags, "NAME",                                                                 \
                  "for bags of one patch, or of patches with equal scores: ignore the threshold (whole), or apply it (cut)"),              \
            RMIL_FIELD(even_bags), .untold = TRUE, .quiet = TRUE                                                                           \
    }
extern const char *const rmil_even_bags[]; /* options.c: "whole", "cut" */

/* The names that another program has for the tensors of a class. */
typedef struct {
    const char *layout, *title; /* "clam", "CLAM" */
    const char *first;          /* a tensor that every file of it has, and none of ours */
    /* What it calls one of our tensors; NULL: it has none such. Free with g_free. */
    char *(*name)(const char *ours, const RmilModelClass *class);
    /* The same tensors under our names; they share the file's data, which must stay. */
    RmilTensors *(*read)(const RmilTensors *file, GError **error);
} RmilForeignNames;

/* Tasks beside two classes. */
enum { RMIL_TAKES_CLASSES = 1, RMIL_TAKES_SURVIVAL = 2, RMIL_TAKES_NUMBER = 4, RMIL_TAKES_ALL = 7 };

struct RmilModelClass {
    const char *name;
    const RmilTrainMethod *methods; /* itself with each guide that it takes, the first without; the last has no name */
    RmilGuide guide;                /* what it trains with where nothing is said */
    int logits;                     /* of two classes: 1 (sigmoid) or 2 (softmax) */
    int tasks;                      /* RMIL_TAKES_…; 0: two classes alone */
    /* Of a model that makes its features itself of the slide's pixels (rmil_bag_read_tile): their number; NULL: it takes the bag's. */
    int64_t (*dim)(const RmilModelConfig *config);
    /* With `dim`: `out` becomes the bag with these features; out->features is freed with rmil_free. Thread-safe; what it makes once lies in
     * model->own, which `release` frees. */
    gboolean (*look)(const RmilModel *model, const RmilBag *bag, RmilBag *out, GError **error);
    void (*release)(gpointer own);
    const struct RmilTrainerKind *trainer; /* NULL: the usual one, by bags (epoch.h) */
    gboolean patches; /* learns from patch labels alone (patch.h): slides that tell nothing of a patch do not train it */
    /* Rows of scores and attention; NULL: one. Several: one per output, so that row c is that of class c. */
    int (*rows)(const RmilModelConfig *config);
    const char *first;               /* a tensor that tells a state_dict of it, whatever stands before the names */
    const RmilForeignNames *foreign; /* or NULL */
    /* What guides order where it is not patches: its name, and which of a bag's are annotated, in the arena; NULL: patches. */
    const char *unit;
    gboolean (*units)(const RmilModelConfig *config, const RmilBag *bag, RmilArena *arena, const uint8_t **annotated, int64_t *count,
                      GError **error);
    const RmilOption *options; /* what it takes, with the paper's values; those of its own lie in a struct, rmil_model_own */
    /* What the bounds of its options leave open; message without file name. May be NULL. */
    gboolean (*check)(const RmilModelConfig *config, GError **error);
    /* Adds every tensor; config has passed the checks. Sizes fit: the bounds of its options see to that. */
    void (*layout)(const RmilModelConfig *config, RmilParameterLayout *layout);
    /* Sets the sizes in config (dim, hidden, attention_dim, depths …) from tensors as found in a file that has no
     * configuration (the released code's state_dict); shape gives −1 where there is no such tensor or axis. */
    void (*infer)(RmilModelConfig *config, int64_t (*shape)(gpointer user, const char *name, int axis), gpointer user);
    /* One bag. What stands between the three calls of a step lies in `work`, the class's own struct of so many bytes (zeroed), and in the
     * arena: others' steps may come between, with other arenas (step.c). */
    gsize work;
    /* Sets outcome->logits and what step->scores and step->attention ask for; fills *shown (zero before) where guides act on the model.
     * Keeps what the way back needs if step->gradient is set. */
    gboolean (*forward)(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error);
    /* With a target: outcome->slide_loss and ->loss (what a guide adds comes later), slope = ∂loss/∂logits. NULL: rmil_slide_loss. */
    gboolean (*loss)(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, double *slope, GError **error);
    /* From slope and from what the guide asks of scores and attention (rows × count of *shown, to be overwritten at will; NULL where nothing
     * was shown, da also where no attention was) to every gradient. */
    gboolean (*backward)(const RmilStep *step, gpointer work, const double *slope, float *ds, float *da, RmilArena *arena, GError **error);
    /* The forward pass as an ONNX graph, from rmil_onnx_features to rmil_onnx_outputs. */
    void (*onnx)(const RmilModelConfig *config, RmilOnnx *onnx);
};

/* What a file NAME.c gives the table: its class, or several. */
#define RMIL_MODEL_FILE(name, ...) const RmilModelClass *const rmil_##name##_models[] = {__VA_ARGS__, NULL}
extern const RmilModelClass *const *const rmil_model_files[]; /* models.c; ends with NULL, as each of them does */

struct _RmilModel {
    RmilModelConfig config;
    const RmilModelClass *class;
    RmilParameterLayout layout;
    float *parameters;
    RmilDecision decision;
    gpointer own; /* the class's, made at the first prediction … */
    int threads;  /* … with so many threads */
};

/* Window of tensor `index` in a step's parameters or gradient. */
static inline const RmilParameter *rmil_parameter_at(const RmilParameterLayout *layout, int index) {
    return &g_array_index(layout->tensors, RmilParameter, index);
}
static inline const float *rmil_step_parameter(const RmilStep *step, int index) {
    return step->parameters + rmil_parameter_at(step->layout, index)->offset;
}
static inline float *rmil_step_gradient(const RmilStep *step, int index) {
    return step->gradient + rmil_parameter_at(step->layout, index)->offset;
}

const RmilModelClass *const *rmil_model_classes(void); /* NULL-terminated */
/* Class by name; NULL and *error (listing the names) when unknown. */
const RmilModelClass *rmil_model_class(const char *name, GError **error);
/* Whether it offers itself with this guide; *error says which model does not take which guide. */
gboolean rmil_model_takes(const RmilModelClass *class, RmilGuide guide, GError **error);
/* Numbers that the model says of a bag: two classes: class->logits; C > 2 classes: C; survival: its bins, or 1 (Cox); a number: 1. */
int rmil_model_outputs(const RmilModelConfig *config);
int rmil_model_config_rows(const RmilModelConfig *config);
/* Does its training look at annotations: has it a guide, or does it learn from patches? */
gboolean rmil_model_annotated(const RmilModelConfig *config);
/* Every check of a configuration that is about to become a model: the bounds of its options, then the class's own. */
gboolean rmil_model_config_check(const RmilModelConfig *config, GError **error);
/* options.c: every row of every model and guide, its offset from RmilModelConfig, in the order of model files; the last has no key. */
const RmilOption *rmil_model_options(void);
/* The row of that name, as on the command line; NULL: there is none. */
const RmilOption *rmil_model_option_find(const char *name);
/* Does a file of this configuration name the option? */
gboolean rmil_model_writes(const RmilModelConfig *config, const RmilOption *option);
/* Is the option one of other models only, and no word is said of it where it is given? Name as on the command line. */
gboolean rmil_model_ignores(const RmilModelConfig *config, const char *name);
extern const RmilOption rmil_trainer_options[]; /* train.c: offsets from RmilTrainConfig */
/* The struct of what the configuration's model, or its guide, alone takes, as its rows lay it out. It lies in `config`. */
gpointer rmil_model_own(const RmilModelConfig *config);
gpointer rmil_guide_own(const RmilModelConfig *config);
/* A model with undefined (zero) parameters. */
RmilModel *rmil_model_alloc(const RmilModelConfig *config, GError **error);
/* A step that has gone forward and not yet back. */
typedef struct {
    gpointer work;
    RmilGuided shown;
} RmilPass;
/* Checks the bag against the model (dimension, K, labels), resets the arena and goes forward: *outcome has the logits alone. */
gboolean rmil_model_forward(const RmilModel *model, RmilStep *step, RmilArena *arena, RmilPass *pass, RmilOutcome *outcome, GError **error);
/* The rest of the same step, with the same arena: its losses, and its gradient where it asks for one. */
gboolean rmil_model_finish(const RmilModel *model, const RmilStep *step, RmilArena *arena, RmilPass *pass, RmilOutcome *outcome,
                           GError **error);
/* Both. */
gboolean rmil_model_step(const RmilModel *model, RmilStep *step, RmilArena *arena, RmilOutcome *outcome, GError **error);
/* For `infer`: a classifier of so many rows. Where the configuration's task has another number of outputs and there may be as many
 * classes, it becomes that of these, named by their numbers. */
void rmil_model_infer_outputs(RmilModelConfig *config, int64_t rows);

#endif
