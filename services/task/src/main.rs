//! The binary `task-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_task::TaskService>()
}
