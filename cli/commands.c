/* SPDX-License-Identifier: Apache-2.0 */
/* Every subcommand, in the order of the help. Their names are also in cli/pages/meson.build, since the build must know its files. */
#include "cli.h"

const CliCommand cli_commands[] = {
    {"run", "run all the steps in order, from slides to a report, skipping what is already done", command_run},
    {"check", "open every slide, annotation and feature file of a cohort; report what is wrong", command_check},
    {"tile", "find the tissue and make the tile grid", command_tile},
    {"encode", "turn tiles into features", command_encode},
    {"label", "label the patches that lie inside annotations", command_label},
    {"train", "train one model on a cohort's features", command_train},
    {"predict", "apply a trained model to slides or feature files", command_predict},
    {"evaluate", "metrics of a run with intervals; localisation", command_evaluate},
    {"report", "one self-contained HTML file from a run's folder", command_report},
    {"view", "view slides, draw outlines and retrain in the browser", command_view},
    {"watch", "retrain when annotations change, for people who annotate in QuPath", command_watch},
    {"study", "run a plan of many trainings: one of the paper's experiments, or your own", command_study},
    {"metrics", "metrics of any table of labels and scores", command_metrics},
    {"compare", "Mann-Whitney U between two columns of scores", command_compare},
    {"convert", "convert features and models to and from other programs' files", command_convert},
    {"cohort", "write the cohort table of a public data set, or of class folders", command_cohort},
    {"splits", "divide a cohort: write Monte-Carlo splits or folds as a table", command_splits},
    {"synth", "simulate a small cohort of H&E-like slides with annotations", command_synth},
    {0},
};
