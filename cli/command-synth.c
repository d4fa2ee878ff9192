/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil synth DIR: slides, or with --features only their feature files. */
#include "cli.h"

#include <string.h>

#define UNSET G_MININT64

typedef struct {
    gboolean features;
    gint64 slides, classes; /* UNSET: the default of the kind; number of named classes */
    gchar *precision, *layout, *mnist;
    gboolean survival, number;
    RmilSynthTask task;
    RmilSynthOptions pixel;
    RmilSynthFeatureOptions feature;
} Options;

/* Each finds an option that is only for features, only for pictures, or not possible with mnist's bags. NULL: none was given. */
static const char *features_option(const Options *o) {
    RmilSynthFeatureOptions usual;
    rmil_synth_feature_options_init(&usual);
    return o->feature.scale != usual.scale             ? "--scale"
           : o->feature.difficulty != usual.difficulty ? "--difficulty"
           : o->feature.dim != usual.dim               ? "--dim"
           : o->precision                              ? "--precision"
                                                       : NULL;
}

static const char *pixel_option(const Options *o) {
    RmilSynthOptions usual;
    rmil_synth_options_init(&usual);
    return o->pixel.width != usual.width         ? "--width"
           : o->pixel.height != usual.height     ? "--height"
           : o->pixel.mpp != usual.mpp           ? "--mpp"
           : o->pixel.positive != usual.positive ? "--positive"
           : o->layout                           ? "--layout"
                                                 : NULL;
}

static const char *target_option(const Options *o) {
    return o->classes != UNSET ? "--classes" : o->survival ? "--survival" : o->number ? "--number" : NULL;
}

static const char *task_option(const Options *o) {
    return target_option(o)                                ? target_option(o)
           : o->task.patients != RMIL_SYNTH_PATIENTS_USUAL ? "--patients"
           : o->task.sites                                 ? "--sites"
                                                           : NULL;
}

/* Options of one kind given for the other are wrong usage, and are not ignored. NULL: none; *with: what the option conflicts with. */
static const char *stray_option(const Options *o, const char **with) {
    RmilSynthOptions usual;
    rmil_synth_options_init(&usual);
    const char *stray = o->mnist ? features_option(o) : NULL;
    if (o->mnist) {
        *with = "with --mnist";
        return o->features ? "--features" : stray ? stray : pixel_option(o) ? pixel_option(o) : task_option(o);
    }
    *with = o->features ? "with --features" : "without --features";
    stray = o->features ? pixel_option(o) : features_option(o);
    if (!stray && o->features && o->pixel.test != usual.test) stray = "--test";
    if (stray || o->features || !target_option(o)) return stray;
    *with = "with --classes, --survival and --number";
    return o->pixel.positive != usual.positive ? "--positive" : NULL;
}

static gboolean make_slides(Cli *cli, Options *o, const char *folder, GError **error) {
    if (o->slides != UNSET) o->pixel.slides = o->slides;
    o->pixel.layout = o->layout;
    o->pixel.task = o->task;
    o->pixel.seed = (uint64_t)cli->seed;
    o->pixel.threads = cli->threads;
    if (!rmil_synth_write(folder, &o->pixel, &cli->monitor, error)) return FALSE;
    json_object_set_int_member(cli->result, "slides", o->pixel.slides);
    gboolean own = !o->layout || strcmp(o->layout, "rankmil") == 0;
    cli_say(cli, "%s%s: %" G_GINT64_FORMAT " slides", folder, own ? "/cohort.csv" : "", o->pixel.slides);
    return TRUE;
}

static gboolean make_features(Cli *cli, Options *o, const char *folder, GError **error) {
    if (o->slides != UNSET) rmil_synth_feature_options_bags(&o->feature, o->slides);
    int64_t bags = o->feature.train + o->feature.test;
    o->feature.half = g_strcmp0(o->precision, "float32") != 0;
    o->feature.task = o->task;
    o->feature.seed = (uint64_t)cli->seed;
    o->feature.threads = cli->threads;
    if (!rmil_synth_features_check(&o->feature, error)) return FALSE;
    int64_t bytes = rmil_synth_features_bytes(&o->feature);
    cli_say(cli, "%s: %" G_GINT64_FORMAT " feature files, %.3g GB", folder, bags, (double)bytes / 1e9);
    if (!rmil_synth_features_write(folder, &o->feature, &cli->monitor, error)) return FALSE;
    json_object_set_int_member(cli->result, "slides", bags);
    json_object_set_int_member(cli->result, "bytes", bytes);
    cli_say(cli, "%s/cohort.csv: %" G_GINT64_FORMAT " slides", folder, bags);
    return TRUE;
}

static gboolean make_digits(Cli *cli, const Options *o, const char *folder, GError **error) {
    RmilSynthDigitOptions digits;
    rmil_synth_digit_options_init(&digits);
    if (o->slides != UNSET) digits.bags = o->slides;
    digits.source = o->mnist;
    digits.test = o->pixel.test;
    digits.seed = (uint64_t)cli->seed;
    digits.threads = cli->threads;
    if (!rmil_synth_digits_write(folder, &digits, &cli->monitor, error)) return FALSE;
    json_object_set_int_member(cli->result, "slides", digits.bags);
    cli_say(cli, "%s/cohort.csv: %" G_GINT64_FORMAT " bags of digits", folder, digits.bags);
    return TRUE;
}

static gboolean make_cohort(Cli *cli, Options *o, const char *folder, GError **error) {
    return o->mnist      ? make_digits(cli, o, folder, error)
           : o->features ? make_features(cli, o, folder, error)
                         : make_slides(cli, o, folder, error);
}

int command_synth(int argc, char **argv) {
    static const CliUsage usage = {"DIR",
                                   "Simulates a small cohort of H&E-like slides with known ground truth.",
                                   "Writes DIR/cohort.csv, DIR/slides/*.tiff and DIR/annotations/*.xml. The same options give\n"
                                   "the same bytes. The slides are computer drawings, for demos, tests and teaching.\n"
                                   "--layout arranges them in the folders of a public data set, without cohort.csv.\n\nWith "
                                   "--features: DIR/cohort.csv and DIR/features/*.h5, as large as Camelyon16 by default\n"
                                   "(399 slides, 6.5 GB), for trying methods and machines.\n"
                                   "With --mnist: bags of your handwritten digits, in three classes.\n\nLabels are 0 and 1, unless "
                                   "--classes, --survival or --number asks for another task.",
                                   1,
                                   1,
                                   CLI_SEED | CLI_THREADS | CLI_RESUMES,
                                   "synth demo\nsynth big --features --scale 0.1\nsynth subtypes --classes 3\n"
                                   "synth survival --features --survival --scale 0.05 --dim 64 --difficulty 0.1\n"
                                   "synth digits --mnist folder"};
    Cli cli;
    int status;
    Options o = {.slides = UNSET, .classes = UNSET, .task = {.patients = RMIL_SYNTH_PATIENTS_USUAL}};
    rmil_synth_options_init(&o.pixel);
    rmil_synth_feature_options_init(&o.feature);
    const GOptionEntry own[] = {
        {"slides", 0, 0, G_OPTION_ARG_INT64, &o.slides, "number of slides (default: 40; with --features 399, with --mnist 240)", "N"},
        {"width", 0, 0, G_OPTION_ARG_INT64, &o.pixel.width, "level-0 pixels of a typical slide", "PX"},
        {"height", 0, 0, G_OPTION_ARG_INT64, &o.pixel.height, "level-0 pixels of a typical slide", "PX"},
        {"mpp", 0, 0, G_OPTION_ARG_DOUBLE, &o.pixel.mpp, "µm per pixel (default: 0.5)", "X"},
        {"positive", 0, 0, G_OPTION_ARG_DOUBLE, &o.pixel.positive, "share of slides with a lesion", "X"},
        {"test", 0, 0, G_OPTION_ARG_DOUBLE, &o.pixel.test, "share of slides in the test set", "X"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o.layout, "arrangement of folders: rankmil (default), camelyon16 or digestpath", "NAME"},
        {"classes", 0, 0, G_OPTION_ARG_INT64, &o.classes, "classes 2 … 6: normal and subtypes of tumour, in words", "C"},
        {"survival", 0, 0, G_OPTION_ARG_NONE, &o.survival, "predict times to an event whose hazard grows with the lesion", NULL},
        {"number", 0, 0, G_OPTION_ARG_NONE, &o.number, "predict a number that grows with the lesion", NULL},
        {"patients", 0, 0, G_OPTION_ARG_DOUBLE, &o.task.patients, "share of patients who have two slides", "X"},
        {"sites", 0, 0, G_OPTION_ARG_INT64, &o.task.sites, "number of sites, each with a slightly different stain", "N"},
        {"features", 0, 0, G_OPTION_ARG_NONE, &o.features, "make feature files instead of slides", NULL},
        {"scale", 0, 0, G_OPTION_ARG_DOUBLE, &o.feature.scale, "features: scale the number of tiles per slide (default: 1, mean 7,900)",
         "X"},
        {"difficulty", 0, 0, G_OPTION_ARG_DOUBLE, &o.feature.difficulty, "features: divide the tumour's contrast by X", "X"},
        {"dim", 0, 0, G_OPTION_ARG_INT64, &o.feature.dim, "features: numbers per tile (default: 1024)", "N"},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &o.precision, "features: float16 (default) or float32", "NAME"},
        {"mnist", 0, 0, G_OPTION_ARG_FILENAME, &o.mnist, "make bags of digits instead, from MNIST's test files in this folder", "FOLDER"},
        {0},
    };
    const CliGroup groups[] = {{"The cohort", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    GError *error = NULL;
    o.task.target = o.survival ? RMIL_SYNTH_SURVIVAL : o.number ? RMIL_SYNTH_NUMBER : RMIL_SYNTH_LABEL;
    o.task.classes = o.classes == UNSET ? 0 : o.classes;
    const char *with, *stray = stray_option(&o, &with);
    if (stray) status = cli_usage(&cli, "%s cannot be used %s", stray, with);
    else if (o.classes == 0) status = cli_usage(&cli, "--classes must be 2 … 6");
    else if ((o.classes != UNSET) + o.survival + o.number > 1)
        status = cli_usage(&cli, "give only one of --classes, --survival and "
                                 "--number");
    else if (o.precision && strcmp(o.precision, "float16") != 0 && strcmp(o.precision, "float32") != 0)
        status = cli_usage(&cli, "--precision must be float16 or float32");
    else if (make_cohort(&cli, &o, argv[1], &error)) status = cli_done(&cli);
    else status = cli_fail(&cli, error);
    g_free(o.precision);
    g_free(o.layout);
    g_free(o.mnist);
    return status;
}
