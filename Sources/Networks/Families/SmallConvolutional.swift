extension Family {
  /// LeNet5 (LeCun, Bottou, Bengio & Haffner 1998) with ReLU and the largest of each window: two convolutions, three dense layers.
  public static let lenet5 = Family(
    syntax: "lenet5", summary: "two convolutions of 5 × 5 and three dense layers"
  ) { (text) throws(GraphError) in
    guard let (name, images) = try ImageText.split(text, where: { $0 == "lenet5" }) else {
      return nil
    }
    var chain = Chain()
    chain.add("conv1", Conv2d(6, kernel: Extent(5), padding: 2))
    chain.add("relu1", ReLU())
    chain.add("pool1", Pooling(.largest, Extent(2)))
    chain.add("conv2", Conv2d(16, kernel: Extent(5)))
    chain.add("relu2", ReLU())
    chain.add("pool2", Pooling(.largest, Extent(2)))
    chain.add("flatten", Flatten())
    chain.add("fc1", Dense(120))
    chain.add("relu3", ReLU())
    chain.add("fc2", Dense(84))
    chain.add("relu4", ReLU())
    chain.add("fc3", Dense(images.classes))
    return try Graph(
      input: images.image, chain.nodes, familyText: name + images.description)
  } recognize: { (file, _) throws(CheckpointError) in
    ImageText.recognize(file, first: "conv1.weight", head: "fc3.weight", name: "lenet5")
  }

  /// A small network of two convolutions, each with the largest of windows behind it, and two dense layers.
  public static let cnn = Family(
    syntax: "cnn", summary: "convolutions to 32 and 64 channels and two dense layers",
    learningRate: 0.05
  ) { (text) throws(GraphError) in
    guard let (name, images) = try ImageText.split(text, where: { $0 == "cnn" }) else { return nil }
    var chain = Chain()
    for (number, channels) in [(1, 32), (2, 64)] {
      chain.add("conv\(number)", Conv2d(channels, kernel: Extent(3), padding: 1))
      chain.add("relu\(number)", ReLU())
      chain.add("pool\(number)", Pooling(.largest, Extent(2)))
    }
    chain.add("flatten", Flatten())
    chain.add("fc1", Dense(128))
    chain.add("relu3", ReLU())
    chain.add("fc2", Dense(images.classes))
    return try Graph(
      input: images.image, chain.nodes, familyText: name + images.description)
  } recognize: { (file, _) throws(CheckpointError) in
    ImageText.recognize(file, first: "conv1.weight", head: "fc2.weight", name: "cnn")
  }
}
