struct Report {
  let folder: RunFolder
  let experiment: Experiment
  init(_ folder: RunFolder, _ experiment: Experiment) { self.folder = folder; self.experiment = experiment }
  func write() throws {}
}
