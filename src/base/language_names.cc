#include "base/language_names.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace tutti {
namespace {

using CodeAndName = std::pair<std::string_view, std::string_view>;

// By code.
constexpr CodeAndName kLanguages[] = {
    {"af", "afrikaans"},      {"am", "amharic"},     {"ar", "arabic"},
    {"as", "assamese"},       {"az", "azerbaijani"}, {"ba", "bashkir"},
    {"be", "belarusian"},     {"bg", "bulgarian"},   {"bn", "bengali"},
    {"bo", "tibetan"},        {"br", "breton"},      {"bs", "bosnian"},
    {"ca", "catalan"},        {"cs", "czech"},       {"cy", "welsh"},
    {"da", "danish"},         {"de", "german"},      {"el", "greek"},
    {"en", "english"},        {"es", "spanish"},     {"et", "estonian"},
    {"eu", "basque"},         {"fa", "persian"},     {"fi", "finnish"},
    {"fo", "faroese"},        {"fr", "french"},      {"gl", "galician"},
    {"gu", "gujarati"},       {"ha", "hausa"},       {"haw", "hawaiian"},
    {"he", "hebrew"},         {"hi", "hindi"},       {"hr", "croatian"},
    {"ht", "haitian creole"}, {"hu", "hungarian"},   {"hy", "armenian"},
    {"id", "indonesian"},     {"is", "icelandic"},   {"it", "italian"},
    {"ja", "japanese"},       {"jw", "javanese"},    {"ka", "georgian"},
    {"kk", "kazakh"},         {"km", "khmer"},       {"kn", "kannada"},
    {"ko", "korean"},         {"la", "latin"},       {"lb", "luxembourgish"},
    {"ln", "lingala"},        {"lo", "lao"},         {"lt", "lithuanian"},
    {"lv", "latvian"},        {"mg", "malagasy"},    {"mi", "maori"},
    {"mk", "macedonian"},     {"ml", "malayalam"},   {"mn", "mongolian"},
    {"mr", "marathi"},        {"ms", "malay"},       {"mt", "maltese"},
    {"my", "myanmar"},        {"ne", "nepali"},      {"nl", "dutch"},
    {"nn", "nynorsk"},        {"no", "norwegian"},   {"oc", "occitan"},
    {"pa", "punjabi"},        {"pl", "polish"},      {"ps", "pashto"},
    {"pt", "portuguese"},     {"ro", "romanian"},    {"ru", "russian"},
    {"sa", "sanskrit"},       {"sd", "sindhi"},      {"si", "sinhala"},
    {"sk", "slovak"},         {"sl", "slovenian"},   {"sn", "shona"},
    {"so", "somali"},         {"sq", "albanian"},    {"sr", "serbian"},
    {"su", "sundanese"},      {"sv", "swedish"},     {"sw", "swahili"},
    {"ta", "tamil"},          {"te", "telugu"},      {"tg", "tajik"},
    {"th", "thai"},           {"tk", "turkmen"},     {"tl", "tagalog"},
    {"tr", "turkish"},        {"tt", "tatar"},       {"uk", "ukrainian"},
    {"ur", "urdu"},           {"uz", "uzbek"},       {"vi", "vietnamese"},
    {"yi", "yiddish"},        {"yo", "yoruba"},      {"yue", "cantonese"},
    {"zh", "chinese"},
};

// Other names, as OpenAI's Whisper takes them.
constexpr CodeAndName kOtherNames[] = {
    {"es", "castilian"}, {"lb", "letzeburgesch"}, {"my", "burmese"}, {"nl", "flemish"},   {"ca", "valencian"},
    {"ht", "haitian"},   {"pa", "panjabi"},       {"ps", "pushto"},  {"ro", "moldavian"}, {"ro", "moldovan"},
    {"si", "sinhalese"}, {"zh", "mandarin"},      {"jw", "jv"},
};

}  // namespace

std::string_view LanguageName(std::string_view code) {
  const auto* found = std::ranges::lower_bound(kLanguages, code, {}, &CodeAndName::first);
  return found != std::end(kLanguages) && found->first == code ? found->second : std::string_view();
}

std::string LanguageCode(std::string_view code_or_name) {
  std::string lower = InLowerCase(std::string(code_or_name));
  for (const auto& [code, name] : kLanguages) {
    if (name == lower) return std::string(code);
  }
  for (const auto& [code, name] : kOtherNames) {
    if (name == lower) return std::string(code);
  }
  return lower;
}

}  // namespace tutti
