//! The binary `notification-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_notification::NotificationService>()
}
