/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the pipeline on the command line. */
#include "prepare.h"

#define ENTRIES(...) g_memdup2((const GOptionEntry[]){__VA_ARGS__, {0}}, sizeof((const GOptionEntry[]){__VA_ARGS__, {0}}))

GOptionEntry *prepare_output_entries(char **folder) {
    return ENTRIES({"output", 'o', 0, G_OPTION_ARG_FILENAME, folder, "work folder", "DIR"});
}

GOptionEntry *prepare_tile_entries(RmilPrepareOptions *options) {
    return ENTRIES(
        {"mpp", 0, 0, G_OPTION_ARG_DOUBLE, &options->mpp, "µm per level-0 pixel of every slide (default: as the slide says)", "X"},
        {"tile-mpp", 0, 0, G_OPTION_ARG_STRING, &options->tile_mpps,
         "µm per pixel of a tile (default: the encoder's; 0.5 is 20×); two values join the features of two magnifications", "X[,Y]"},
        {"tile-px", 0, 0, G_OPTION_ARG_INT, &options->tile_px,
         "side of a tile in pixels, 64 … 1024 (default: what the encoder "
         "takes, 224)",
         "N"},
        {"overlap", 0, 0, G_OPTION_ARG_DOUBLE, &options->overlap,
         "overlap of neighbouring tiles in pixels or, below 1, as a share of their side (default: 0)", "X"},
        {"min-tissue", 0, 0, G_OPTION_ARG_DOUBLE, &options->min_tissue, "minimum fraction of tissue in a tile (default: 0.05)", "X"},
        {"mask-mpp", 0, 0, G_OPTION_ARG_DOUBLE, &options->mask_mpp, "µm per pixel of the tissue mask (default: 4)", "X"},
        {"tissue", 0, 0, G_OPTION_ARG_STRING, &options->tissue,
         "how to detect tissue: otsu (default), hsv (by colour, as CLAM does), none (use the whole scan); a tissue column in the cohort "
         "takes "
         "precedence",
         "NAME"},
        {"leave-out", 0, 0, G_OPTION_ARG_STRING, &options->leave_out,
         "what to detect and leave out: pen, fold, blur, separated by commas (default: nothing)", "NAMES"},
        {"min-area", 0, 0, G_OPTION_ARG_DOUBLE, &options->min_area, "leave out smaller pieces of tissue (default: 0)", "MM2"},
        {"max-hole", 0, 0, G_OPTION_ARG_DOUBLE, &options->max_hole, "fill smaller holes in tissue (default: 0)", "MM2"});
}

/* "texture (default); with --weights: resnet50, …; auto: the one that the weights are of", made once. */
static const char *encoder_help(void) {
    static char *help;
    static gsize done;
    if (g_once_init_enter(&done)) {
        g_autoptr(GString) plain = g_string_new(NULL), weighed = g_string_new(NULL);
        for (const char *const *name = rmil_encoder_names(); *name; name++) {
            GString *out = rmil_encoder_info(*name, NULL)->weights ? weighed : plain;
            g_string_append_printf(out, "%s%s%s", out->len ? ", " : "", *name, out == plain && !out->len ? " (default)" : "");
        }
        help = g_strdup_printf("%s; with --weights: %s; auto: the encoder that the weights belong to", plain->str, weighed->str);
        g_once_init_leave(&done, 1);
    }
    return help;
}

GOptionEntry *prepare_encode_entries(RmilPrepareOptions *options) {
    return ENTRIES(
        {"encoder", 0, 0, G_OPTION_ARG_STRING, &options->encoder, encoder_help(), "NAME"},
        {"weights", 0, 0, G_OPTION_ARG_FILENAME, &options->weights, "the encoder's weight file", "FILE"},
        {"mean", 0, 0, G_OPTION_ARG_STRING, &options->mean,
         "for --encoder onnx: mean of its input, pixels 0 … 1 (default: as the file says, or ImageNet's)", "R,G,B"},
        {"sd", 0, 0, G_OPTION_ARG_STRING, &options->sd, "for --encoder onnx: standard deviation of its input, likewise", "R,G,B"},
        {"input-px", 0, 0, G_OPTION_ARG_INT, &options->input_px,
         "for --encoder onnx: side of its images and of the tiles in pixels (default: as the file says, or 224)", "N"},
        {"onnx-output", 0, 0, G_OPTION_ARG_STRING, &options->onnx_output,
         "for --encoder onnx: which output is the feature, if it has several", "NAME"},
        {"device", 0, 0, G_OPTION_ARG_STRING, &options->device,
         "cpu (default), or with ONNX Runtime: onnxruntime (on the CPU), cuda, tensorrt or rocm", "NAME"},
        {"features-precision", 0, 0, G_OPTION_ARG_STRING, &options->features_precision,
         "number type of feature files: float16 (default; existing files stay as they are) or float32", "NAME"},
        {"encode-bfloat16", 0, 0, G_OPTION_ARG_NONE, &options->bfloat16, "run the encoder in bfloat16", NULL});
}

#define CROP_ENTRY                                                                                                                         \
    {                                                                                                                                      \
        "uncropped", 0, 0, G_OPTION_ARG_NONE, &options->uncropped,                                                                         \
            "GeoJSON coordinates and masks start at the corner of level 0, not of the scanned area that QuPath shows", NULL                \
    }

GOptionEntry *prepare_crop_entries(RmilPrepareOptions *options) { return ENTRIES(CROP_ENTRY); }

GOptionEntry *prepare_label_entries(RmilPrepareOptions *options) {
    return ENTRIES(
        {"lesion", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->lesion,
         "annotation group that is a lesion; on slides of one class only: CLASS=GROUP[,CLASS=GROUP]; may be given again", "NAME"},
        {"exclude", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->exclusion, "annotation group or class to cut out; may be given again",
         "NAME"},
        {"padding", 0, 0, G_OPTION_ARG_DOUBLE, &options->padding, "grow annotations by this many level-0 pixels (default: 0)", "PX"},
        {"preview", 0, 0, G_OPTION_ARG_NONE, &options->preview, "draw outlines and annotated patches on the slide: DIR/labels/ID.png",
         NULL},
        CROP_ENTRY,
        {"label-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &options->label_threshold,
         "a patch counts as annotated if more than this fraction of its area is (default: 0.05)", "X"});
}
