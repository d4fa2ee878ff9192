/* SPDX-License-Identifier: Apache-2.0 */
/* OME-XML, as Bio-Formats and QuPath write it into a TIFF's description: the pixel size, and the number of channels. */
#include "base/xml.h"
#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

/* Units of length in µm. "pixel" and "reference frame" are not lengths. */
static const struct {
    const char *name;
    double um;
} units[] = {
    {"µm", 1},     {"μm", 1},      {"um", 1},      {"micron", 1},      {"microns", 1},   {"nm", 1e-3},         {"pm", 1e-6},
    {"fm", 1e-9},  {"am", 1e-12},  {"zm", 1e-15},  {"ym", 1e-18},      {"\u00c5", 1e-4}, {"\u212b", 1e-4},     {"mm", 1e3},
    {"cm", 1e4},   {"dm", 1e5},    {"m", 1e6},     {"dam", 1e7},       {"hm", 1e8},      {"km", 1e9},          {"Mm", 1e12},
    {"Gm", 1e15},  {"Tm", 1e18},   {"Pm", 1e21},   {"Em", 1e24},       {"Zm", 1e27},     {"Ym", 1e30},         {"inch", 25400},
    {"in", 25400}, {"ft", 304800}, {"yd", 914400}, {"mi", 1.609344e9}, {"thou", 25.4},   {"li", 25400.0 / 12}, {"pt", 25400.0 / 72},
};

double rmil_length_unit(const char *name) {
    for (gsize i = 0; name && i < G_N_ELEMENTS(units); i++)
        if (strcmp(units[i].name, name) == 0) return units[i].um;
    return NAN;
}

/* In µm, which is also the default unit. NAN: missing, or not a length. */
static double length(xmlTextReader *reader, const char *name) {
    g_autofree char *unit_name = g_strconcat(name, "Unit", NULL);
    xmlChar *text = xmlTextReaderGetAttribute(reader, (const xmlChar *)name);
    xmlChar *unit = xmlTextReaderGetAttribute(reader, (const xmlChar *)unit_name);
    char *end = NULL;
    double value = text ? g_ascii_strtod((const char *)text, &end) : NAN;
    if (text && (end == (const char *)text || *end != '\0')) value = NAN;
    value *= unit ? rmil_length_unit((const char *)unit) : 1;
    xmlFree(text);
    xmlFree(unit);
    return value;
}

static int64_t count(xmlTextReader *reader, const char *name) {
    xmlChar *text = xmlTextReaderGetAttribute(reader, (const xmlChar *)name);
    int64_t value = text ? g_ascii_strtoll((const char *)text, NULL, 10) : 0;
    xmlFree(text);
    return value;
}

static void drop(void *user, const xmlError *what) {}

/* Is the n-th channel named like the n-th of red, green, blue, or not named at all? Programs write numbers if it has no name. */
static gboolean is_colour(xmlTextReader *reader, int n) {
    static const char *const names[3][2] = {{"red", "r"}, {"green", "g"}, {"blue", "b"}};
    xmlChar *text = xmlTextReaderGetAttribute(reader, (const xmlChar *)"Name");
    const char *name = text ? (const char *)text : "";
    while (*name && !g_ascii_isalpha(*name)) name++; /* "0:1", "0:Red" */
    const gboolean known = !*name || (n < 3 && (g_ascii_strcasecmp(name, names[n][0]) == 0 || g_ascii_strcasecmp(name, names[n][1]) == 0));
    xmlFree(text);
    return known;
}

gboolean rmil_ome_read(const char *xml, RmilOme *ome) {
    *ome = (RmilOme){NAN, NAN, 0, 0, FALSE};
    if (!xml || !strstr(xml, "OME") || !strstr(xml, "Pixels")) return FALSE;
    const RmilXmlListener before = rmil_xml_hear(drop, NULL);
    xmlTextReader *reader = xmlReaderForMemory(xml, (int)MIN(strlen(xml), G_MAXINT), NULL, NULL,
                                               XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
    if (reader) xmlTextReaderSetStructuredErrorHandler(reader, (xmlStructuredErrorFunc)drop, NULL);
    gboolean found = FALSE, done = FALSE;
    int channel = 0;
    while (reader && !done && xmlTextReaderRead(reader) == 1) {
        const char *name = (const char *)xmlTextReaderConstLocalName(reader);
        gboolean begins = xmlTextReaderNodeType(reader) == XML_READER_TYPE_ELEMENT;
        if (begins && !found && strcmp(name, "Pixels") == 0) {
            found = TRUE;
            *ome = (RmilOme){length(reader, "PhysicalSizeX"), length(reader, "PhysicalSizeY"), count(reader, "SizeC"), 1, TRUE};
            done = xmlTextReaderIsEmptyElement(reader);
        } else if (found && begins && strcmp(name, "Channel") == 0) {
            if (channel == 0) ome->samples = MAX(1, count(reader, "SamplesPerPixel"));
            ome->colours = ome->colours && is_colour(reader, channel++);
        } else if (found && strcmp(name, "Pixels") == 0) {
            done = TRUE;
        }
    }
    if (reader) xmlFreeTextReader(reader);
    rmil_xml_end(before);
    return found;
}
