extension Family {
  /// Residual networks for small images (He, Zhang, Ren & Sun 2016): `resnet20`, and `resnet20x4` of four times the channels.
  ///
  ///     h = relu(bn1(conv1(x)))
  ///     h = relu(h' + bn2(conv2(relu(bn1(conv1(h))))))        three stages of 16, 32 and 64 channels, 3 blocks each
  ///     logits = fc(mean(h))
  ///
  /// Where a stage begins anew, h' is h through a convolution of 1 × 1 and a normalisation, `downsample`. Names are torchvision's.
  public static let resnet = Family(
    syntax: "resnet20x4",
    summary:
      "resnet20, resnet32, …, and xK: residual, of 16 K to 64 K channels, with batch normalisation"
  ) { (text) throws(GraphError) in
    guard let (name, images) = try ImageText.split(text, where: { resnetSize($0) != nil }),
      let (blocks, width) = resnetSize(name)
    else { return nil }
    var chain = Chain()
    chain.add("conv1", convolution(16 * width, stride: 1))
    chain.add("bn1", BatchNorm())
    chain.add("relu", ReLU())
    for stage in 1...3 {
      let channels = (8 << stage) * width
      for block in 0..<blocks {
        let name = "layer\(stage).\(block)"
        let stride = stage > 1 && block == 0 ? 2 : 1
        let stream = chain.last
        if stride == 2 {
          chain.add(
            "\(name).downsample.0", Conv2d(channels, kernel: Extent(1), stride: 2, hasBias: false))
          chain.add("\(name).downsample.1", BatchNorm())
        }
        let shortcut = chain.last
        chain.add("\(name).conv1", convolution(channels, stride: stride), reads: stream)
        chain.add("\(name).bn1", BatchNorm())
        chain.add("\(name).relu1", ReLU())
        chain.add("\(name).conv2", convolution(channels, stride: 1))
        chain.add("\(name).bn2", BatchNorm())
        chain.add("\(name).sum", Add(), reads: shortcut, chain.last)
        chain.add("\(name).relu2", ReLU())
      }
    }
    chain.add("avgpool", GlobalMean())
    chain.add("flatten", Flatten())
    chain.add("fc", Dense(images.classes))
    return try Graph(
      input: images.image, chain.nodes, familyText: name + images.description)
  } recognize: { (file, _) throws(CheckpointError) in
    guard let stem = file["conv1.weight"]?.shape, stem.count == 4, stem[0].isMultiple(of: 16) else {
      return nil
    }
    let blocks = file.tensors.filter {
      $0.name.hasPrefix("layer1.") && $0.name.hasSuffix(".conv1.weight")
    }.count
    let width = stem[0] / 16
    return ImageText.recognize(
      file, first: "conv1.weight", head: "fc.weight",
      name: "resnet\(6 * blocks + 2)" + (width == 1 ? "" : "x\(width)"))
  }

  private static func convolution(_ channels: Int, stride: Int) -> Conv2d {
    Conv2d(channels, kernel: Extent(3), stride: stride, padding: 1, hasBias: false)
  }

  /// Blocks of a stage and the factor of the channels, of `resnet20x4`; nil for another name.
  private static func resnetSize(_ name: String) -> (blocks: Int, width: Int)? {
    guard name.hasPrefix("resnet") else { return nil }
    let parts = name.dropFirst(6).split(separator: "x", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let depth = width(parts[0]), depth >= 8, depth % 6 == 2,
      depth <= 2000
    else { return nil }
    guard parts.count == 2 else { return (depth / 6, 1) }
    guard let factor = width(parts[1]), factor > 1, factor <= 1000 else { return nil }
    return (depth / 6, factor)
  }
}
