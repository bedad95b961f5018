#pragma once

#include "market.hpp"

#include <string>
#include <vector>

namespace risk {

/// The values of an axis.
struct range {
  double low = 0.0;
  double high = 1.0;
  bool logarithmic = false;
};

/// A picture that is built up and then written as SVG. Points are in the axes' values.
class plot {
 public:
  /// @param name what it shows; @param across, up the axes; @param across_unit, up_unit what they count
  plot(std::string name, range across, range up, std::string across_unit, std::string up_unit);

  void line(const std::vector<point>& points, const char* colour, double width, double opacity = 1.0);
  void band(const std::vector<point>& low, const std::vector<point>& high, const char* colour);
  void bar(double from, double to, double height, const char* colour);
  /// A vertical line with a text.
  void mark(double at, const std::string& text, const char* colour, int row);
  void legend(const std::string& text, const char* colour);
  std::string svg() const;

 private:
  double x(double value) const;
  double y(double value) const;
  std::string joined(const std::vector<point>& points) const;

  std::string name_;
  range across_;
  range up_;
  std::string across_unit_;
  std::string up_unit_;
  std::string body_;
  int legends_ = 0;
};

/// Text in HTML.
std::string escaped(const std::string& text);

}  // namespace risk
