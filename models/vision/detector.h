// Detector: objects as points (Zhou, Wang and Kraehenbuehl 2019, CenterNet). One pass gives, for
// each cell of 4x4 pixels, how much it is the centre of an object of each class, and the object's
// size and place in the cell. No anchors, and no boxes to be matched: a centre is a peak of the
// map.
//
//   layer      result (32x32)              parameters    multiply-adds
//   conv1      [N, 32, 32, 16]                    464          442,368   3x3, batch norm, ReLU
//   conv2      [N, 16, 16, 32]                  4,672        1,179,648   stride 2
//   conv3      [N, 16, 16, 32]                  9,280        2,359,296
//   conv4      [N,  8,  8, 64]                 18,560        1,179,648   stride 2
//   conv5-7    [N,  8,  8, 64]                110,976        7,077,888
//   head       [N,  8,  8, classes + 4]           520           32,768   1x1
//   sum                                       144,472       12,271,616
// (3 channels, 4 classes.)
//
// Result, a cell: logits of the classes; width and height in cells; the centre's offset from the
// cell's corner, x and y, in cells.
//
// Loss = sum over cells and classes of the penalty-reduced focal loss, with the map Y that is 1 at
// a centre and a Gaussian around it (deviation .09 of the box, as Liu et al. 2020, TTFNet):
//   -(1 - p)^2 log p  where Y = 1,   -(1 - Y)^4 p^2 log(1 - p)  elsewhere,
// plus .1 |size - true size| and |offset - true offset| at centres; all over the number of objects.
#pragma once

#include "engine/nn/conv_norm.h"
#include "engine/nn/sequential.h"
#include "models/model.h"
#include "models/vision/boxes.h"

namespace strata {

struct DetectorOptions {
  int64_t channels = 3;
  int64_t classes = 4;
  int64_t width = 16;  // of conv1; then 2 and 4 times
};

// Parameters of a network with these options, without making it.
int64_t detector_parameter_count(const DetectorOptions& options);

// What the loss compares with, f32, for maps of h x w cells.
struct DetectorTargets {
  Tensor heat;    // [N, h, w, classes], Y
  Tensor boxes;   // [N, h, w, 4], width, height, offsets; 0 where no centre is
  Tensor centre;  // [N, h, w, 1], 1 at centres
};

// x [N, H, W, channels], sides divisible by 4 -> [N, H / 4, W / 4, classes + 4].
class Detector : public Model {
 public:
  static constexpr int64_t stride = 4;

  explicit Detector(const DetectorOptions& options = {});
  std::string kind() const override { return "Detector"; }
  Tensor forward(const Tensor& x) override;
  // conv1, ..., conv7, head.
  std::vector<std::string> stages() const override;

  // For images of height x width with these boxes (pixels). A label that is no class, a centre
  // outside the image: errors.
  DetectorTargets targets(const std::vector<std::vector<LabelledBox>>& boxes, int64_t height,
                          int64_t width, Caller at = Caller::here()) const;
  // A scalar, of a result of forward().
  Tensor loss(const Tensor& out, const DetectorTargets& targets) const;
  // Peaks (cells whose probability no neighbour exceeds) of each image, the `most` best with a
  // probability of `threshold` or more, without overlaps of more than half.
  std::vector<std::vector<Detection>> decode(const Tensor& out, int64_t most = 20,
                                             double threshold = 0.05) const;

 private:
  DetectorOptions options_;
  std::vector<ConvNorm*> convs_;
  Conv2d* head_;
};

}  // namespace strata
