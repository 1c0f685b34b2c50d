import CMPI
import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct ProcessTests {
    @Test func `MPI starts once a process`() {
      _ = world
      #expect(MPI.run { _ in Issue.record("ran on a second start") } == 70)
      let error = #expect(throws: MPIError.self) { try MPI.initialize() }
      #expect(error?.message.contains("starts only once") == true)
    }

    @Test func `the library and the node have names`() {
      _ = world
      #expect(MPI.libraryVersion.contains("MPI"))
      #expect(!MPI.processorName.isEmpty)
      if MPI.libraryVersion.contains("Open MPI") {
        #expect(MPI.transportSettings.contains("btl="))
      }
    }

    @Test func `reading the settings leaves the thread level as it is`() {
      _ = world
      func level() -> Int32 {
        var level: Int32 = -1
        MPI_Query_thread(&level)
        return level
      }
      let before = level()
      #expect(before >= mpi_thread_serialized())
      _ = MPI.transportSettings
      #expect(level() == before)
    }
  }
}
