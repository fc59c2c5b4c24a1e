#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "train/metrics.h"

// The HTML report: facts, curves as SVG, samples.

namespace bantam {
namespace {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

struct Point {
  double x, y;
};
struct Curve {
  std::string name;
  std::vector<Point> points;
};

constexpr const char* kColours[] = {"#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed"};

// A round number of about `range / 5`.
double tick_step(double range) {
  const double raw = range / 5, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0}) {
    if (raw <= m * power) return m * power;
  }
  return 10 * power;
}

std::string human(double x) {
  if (std::abs(x) >= 1e6) return fmt::format("{:g}M", x / 1e6);
  if (std::abs(x) >= 1e4) return fmt::format("{:g}k", x / 1e3);
  return fmt::format("{:.4g}", x);
}

std::string chart(std::string_view title, std::string_view unit, const std::vector<Curve>& curves) {
  constexpr double kWidth = 640, kHeight = 280, kLeft = 64, kRight = 12, kTop = 12, kBottom = 36;
  double x0 = 0, x1 = 0, y0 = INFINITY, y1 = -INFINITY;
  for (const Curve& c : curves) {
    for (const Point& p : c.points) {
      x1 = std::max(x1, p.x);
      y0 = std::min(y0, p.y);
      y1 = std::max(y1, p.y);
    }
  }
  if (!(y1 >= y0) || x1 <= x0) return "";
  if (y1 == y0) y1 = y0 + 1;
  const auto px = [&](double x) {
    return kLeft + (x - x0) / (x1 - x0) * (kWidth - kLeft - kRight);
  };
  const auto py = [&](double y) {
    return kTop + (y1 - y) / (y1 - y0) * (kHeight - kTop - kBottom);
  };
  std::string svg =
      fmt::format("<figure><figcaption>{}</figcaption><svg viewBox='0 0 {} {}' role='img'>",
                  escape(title), kWidth, kHeight);
  const double sy = tick_step(y1 - y0), sx = tick_step(x1 - x0);
  for (double y = std::ceil(y0 / sy) * sy; y <= y1 + 1e-9 * sy; y += sy) {
    svg += fmt::format("<line class='grid' x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}'/>", kLeft,
                       kWidth - kRight, py(y), py(y));
    svg += fmt::format("<text x='{}' y='{:.1f}' text-anchor='end'>{}</text>", kLeft - 6, py(y) + 4,
                       human(y));
  }
  for (double x = 0; x <= x1 + 1e-9 * sx; x += sx) {
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>", px(x),
                       kHeight - 18, human(x));
  }
  svg += fmt::format("<text x='{}' y='{}' text-anchor='end'>{}</text>", kWidth - kRight,
                     kHeight - 4, escape(unit));
  for (size_t i = 0; i < curves.size(); ++i) {
    std::string path;
    for (const Point& p : curves[i].points) path += fmt::format(" {:.1f},{:.1f}", px(p.x), py(p.y));
    svg += fmt::format("<polyline fill='none' stroke='{}' stroke-width='1.5' points='{}'/>",
                       kColours[i % std::size(kColours)], path);
  }
  svg += "</svg><p class='legend'>";
  for (size_t i = 0; i < curves.size(); ++i) {
    svg += fmt::format("<span style='color:{}'>&#9632;</span> {} ",
                       kColours[i % std::size(kColours)], escape(curves[i].name));
  }
  return svg + "</p></figure>\n";
}

using Pick = std::function<double(const MetricsRow&)>;

std::vector<Curve> curves_of(const std::vector<ReportRun>& runs, bool validated, const Pick& pick) {
  std::vector<Curve> curves;
  for (const ReportRun& run : runs) {
    Curve c{run.name, {}};
    for (const MetricsRow& r : run.rows) {
      if (validated && !r.validated) continue;
      const double y = pick(r);
      if (std::isfinite(y)) c.points.push_back({static_cast<double>(r.tokens), y});
    }
    curves.push_back(std::move(c));
  }
  return curves;
}

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:700px;margin:2em auto;padding:0 "
    "1em;color:#111}"
    "table{border-collapse:collapse}td{padding:2px 16px 2px 0;vertical-align:top}"
    "figure{margin:1.5em 0}figcaption{font-weight:600}svg{width:100%}"
    "svg text{font-size:11px;fill:#555}.grid{stroke:#ddd}.legend{margin:0;font-size:13px}"
    "pre{white-space:pre-wrap;background:#f6f6f6;padding:.6em .8em}";

}  // namespace

void write_report(const std::string& path, std::string_view title,
                  const std::vector<ReportFact>& facts, const std::vector<ReportRun>& runs,
                  const std::vector<std::string>& samples) {
  std::string html = fmt::format(
      "<!doctype html><html lang='en'><meta charset='utf-8'><title>{0}</title><style>{1}</style>"
      "<h1>{0}</h1>\n<table>",
      escape(title), kStyle);
  for (const ReportFact& f : facts) {
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape(f.label), escape(f.value));
  }
  html += "</table>\n";
  const auto add = [&](std::string_view name, bool validated, const Pick& pick) {
    html += chart(name, "tokens seen", curves_of(runs, validated, pick));
  };
  add("Training cross-entropy, nats per token", false,
      [](const auto& r) { return r.cross_entropy; });
  add("Held-out perplexity per token", true,
      [](const auto& r) { return r.validation.perplexity_token; });
  add("Held-out bits per byte", true,
      [](const auto& r) { return std::log2(r.validation.perplexity_byte); });
  add("Learning rate", false, [](const auto& r) { return r.learning_rate; });
  add("Norm of the gradient", false, [](const auto& r) { return r.gradient_norm; });
  add("Tokens per second", false, [](const auto& r) { return r.tokens_per_second; });
  if (!samples.empty()) html += "<h2>Samples</h2>\n";
  for (const std::string& s : samples) html += fmt::format("<pre>{}</pre>\n", escape(s));
  write_text_file(path, html + "</html>\n");
}

}  // namespace bantam
