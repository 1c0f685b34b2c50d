extension Family {
  /// VGG (Simonyan & Zisserman 2015) for small images: convolutions of 3 × 3, halved now and then, and one dense layer; `bn`
  /// with batch normalisation behind each convolution.
  ///
  /// Without normalisation signals fade through eight and more layers of PyTorch's initialisation, and `vgg11` stays at chance for
  /// epochs: on 4,000 images of Fashion-MNIST it does after four, where `vgg11bn` has 82 % of the test set after three.
  ///
  /// Layers are numbered as in torchvision's `features`; where an image is one pixel small it is halved no further.
  public static let vgg = Family(
    syntax: "vgg11bn",
    summary: "vgg11, vgg11bn, vgg16, vgg16bn: convolutions of 3 × 3 to 512 channels",
    learningRate: 0.05
  ) { (text) throws(GraphError) in
    guard let (name, images) = try ImageText.split(text, where: { vggChannels($0) != nil }),
      let stages = vggChannels(name)
    else { return nil }
    let hasNorms = name.hasSuffix("bn")
    var chain = Chain()
    var number = 0
    func add(_ layer: any Layer, _ kind: String = "features") {
      chain.add("\(kind).\(number)", layer)
      number += 1
    }
    var side = min(images.image[1], images.image[2])
    for stage in stages {
      for channels in stage {
        add(Conv2d(channels, kernel: Extent(3), padding: 1))
        if hasNorms { add(BatchNorm()) }
        add(ReLU())
      }
      if side > 1 {
        add(Pooling(.largest, Extent(2)))
        side /= 2
      }
    }
    chain.add("flatten", Flatten())
    chain.add("classifier", Dense(images.classes))
    return try Graph(
      input: images.image, chain.nodes, familyText: name + images.description)
  } recognize: { (file, _) throws(CheckpointError) in
    for name in ["vgg11", "vgg11bn", "vgg16", "vgg16bn"] {
      if let found = ImageText.recognize(
        file, first: "features.0.weight", head: "classifier.weight", name: name)
      {
        return found
      }
    }
    return nil
  }

  /// Channels of the convolutions between two halvings; nil for a name that is none of VGG's.
  private static func vggChannels(_ name: String) -> [[Int]]? {
    switch name {
    case "vgg11", "vgg11bn": [[64], [128], [256, 256], [512, 512], [512, 512]]
    case "vgg16", "vgg16bn":
      [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]]
    default: nil
    }
  }
}
