//! The binary `user-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_user::UserService>()
}
