//! The binary `gateway-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_gateway::GatewayService>()
}
