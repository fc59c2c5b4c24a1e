#include <algorithm>
#include <functional>
#include <set>

#include "base/error.h"
#include "eval/profile.h"

namespace bantam {
namespace {

// The same op has the same colour in every page.
int hue(std::string_view op) {
  uint32_t h = 2166136261u;
  for (const char c : op) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return static_cast<int>(h % 360);
}

constexpr std::string_view kHead = R"(<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }
table { border-collapse: collapse; width: 100% } td, th { padding: .15em .5em; text-align: right }
td:first-child, th:first-child { text-align: left; white-space: nowrap }
td.bar { width: 40%; text-align: left } td.bar div { height: 1em; border-radius: 2px }
svg { width: 100%; height: 60px; background: #8881 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } }
</style>
)";

std::string bars(const Profile& p) {
  std::string text = "<table><tr><th>step<th>runs<th>us<th>share<th>GB/s<th>GFLOP/s<th></tr>\n";
  const double most = p.rows.empty() ? 1 : p.rows.front().seconds;
  for (const ProfileRow& r : p.rows) {
    text += fmt::format(
        "<tr><td>{}<td>{}<td>{:.1f}<td>{:.1f} %<td>{:.1f}<td>{:.1f}<td class=bar><div "
        "style=\"width:{:.1f}%;background:hsl({} 60% 55%)\"></div></tr>\n",
        r.label == r.op ? r.op : fmt::format("{} {}", r.op, r.label), r.runs,
        r.seconds * 1e6 / static_cast<double>(r.runs), 100 * r.seconds / p.seconds,
        r.bytes / r.seconds * 1e-9, r.operations / r.seconds * 1e-9, 100 * r.seconds / most,
        hue(r.op));
  }
  return text + "</table>\n";
}

std::string strip(const Profile& p) {
  if (p.last_run.empty()) return "";
  const double end = p.last_run.back().start + p.last_run.back().seconds;
  std::string text = "<svg viewBox=\"0 0 1000 60\" preserveAspectRatio=\"none\">\n";
  for (const ProfileEvent& e : p.last_run) {
    text += fmt::format(
        "<rect x=\"{:.2f}\" width=\"{:.2f}\" height=\"60\" fill=\"hsl({} 60% 55%)\"><title>{} ({}) "
        "{:.1f} us</title></rect>\n",
        1000 * e.start / end, 1000 * e.seconds / end, hue(e.op), e.name, e.op, e.seconds * 1e6);
  }
  return text + "</svg>\n";
}

}  // namespace

std::string profile_page(const Profile& p, std::string_view title) {
  return fmt::format(
      "{}<title>{}</title>\n<h1>{}</h1>\n<p>{:.1f} us a token, {} steps a run, {:.1f} % of the "
      "time "
      "between steps.</p>\n{}<h2>One run from left to right</h2>\n{}",
      kHead, title, title, 1e6 * p.seconds / static_cast<double>(p.tokens), p.steps,
      100 * (1 - p.step_seconds / p.seconds), bars(p), strip(p));
}

}  // namespace bantam
