#include "models/config/build.h"

#include "engine/nn.h"
#include "models/config/blocks.h"

namespace strata::config {

// The way around a residual's layers, which end in `out`; none where the shapes agree.
std::shared_ptr<Layer> Builder::shortcut(Site& site, const Shape& out, int64_t& multiply_adds) {
  const std::string kind = site.word("shortcut", {"identity", "projection", "subsample"});
  const Shape& in = site.in;
  if (in == out) return nullptr;
  if (kind == "identity")
    site.refuse(
        fmt::format("its layers end in {}, and only equal shapes can be added; want layers "
                    "that keep the shape, or shortcut = \"projection\" or \"subsample\"",
                    to_string(out)));
  if (in.kind != out.kind)
    site.refuse(fmt::format("its layers end in {}; want the same kind of value", to_string(out)));
  if (in.kind != InputKind::image) {
    if (kind == "subsample") site.refuse("shortcut", "\"subsample\" is for images");
    if (in.kind == InputKind::sequence && in.dims[0] != out.dims[0])
      site.refuse(fmt::format("its layers end in {}; want the same length", to_string(out)));
    multiply_adds = in.channels() * out.channels();
    if (in.kind == InputKind::sequence) multiply_adds *= in.dims[0];
    return std::make_shared<Linear>(in.channels(), out.channels());
  }
  const int64_t stride = (in.dims[0] + out.dims[0] - 1) / out.dims[0];
  for (size_t axis : {0, 1})
    if ((in.dims[axis] + stride - 1) / stride != out.dims[axis])
      site.refuse(
          fmt::format("its layers end in {}, which no stride of the shortcut gives; want a "
                      "whole fraction of the image",
                      to_string(out)));
  if (kind == "projection") {
    multiply_adds = in.channels() * out.dims[0] * out.dims[1] * out.channels();
    return std::make_shared<Conv2d>(in.channels(), out.channels(), 1,
                                    Conv2dOptions{.stride = stride}, false);
  }
  if (out.channels() < in.channels())
    site.refuse(
        fmt::format("its layers end in {}; \"subsample\" can only add channels, so want at "
                    "least {}, or shortcut = \"projection\"",
                    to_string(out), in.channels()));
  return std::make_shared<Subsample>(stride, out.channels() - in.channels());
}

// A block or a residual.
Made Builder::chain(Site& site, const std::string& path) {
  if (site.text.layers.empty())
    site.refuse("it has no layers; give it some: layer = [{type = \"conv\", width = 16}, ...]");
  const bool residual = site.text.type == "residual";
  auto chain = residual ? std::make_shared<Residual>() : std::make_shared<Chain>();
  List inner = list(site.text.layers, site.in, path + ".");
  for (auto& [name, layer] : inner.layers) chain->append(name, layer);
  Made made{chain, inner.out};
  if (!residual) return made;
  if (auto around = shortcut(site, inner.out, made.multiply_adds))
    static_cast<Residual&>(*chain).set_shortcut(around);
  return made;
}

Made Builder::one(const LayerText& text, const Shape& in, const std::string& path, Place& place) {
  Site site(description_, text, in);
  const LayerType& type = layer_type(site);
  const size_t row = rows.size();
  rows.push_back({path, text.type, {}, 0, 0});
  Made made = type.make ? type.make(site) : chain(site, path);
  site.finish(type.settings);
  rows[row].result = made.out;
  rows[row].multiply_adds = made.multiply_adds;
  rows[row].parameters = made.layer->parameter_count();
  for (size_t i = row + 1; i < rows.size(); ++i) rows[row].parameters -= rows[i].parameters;
  place = {path, type.follows, !text.layers.empty(), made.layer->parameter_count() > 0};
  return made;
}

Builder::List Builder::list(const std::vector<LayerText>& texts, Shape in,
                            const std::string& prefix) {
  List result;
  for (const LayerText& text : texts) {
    const std::string path = prefix + text.name;
    if (text.repeat == 1) {
      Made made = one(text, in, path, result.places.emplace_back());
      result.layers.emplace_back(text.name, made.layer);
      in = made.out;
      continue;
    }
    auto copies = std::make_shared<Chain>();
    for (int64_t i = 0; i < text.repeat; ++i) {
      Made made = one(text, in, fmt::format("{}.{}", path, i), result.places.emplace_back());
      copies->append(std::to_string(i), made.layer);
      in = made.out;
    }
    result.layers.emplace_back(text.name, copies);
  }
  result.out = in;
  return result;
}

}  // namespace strata::config
