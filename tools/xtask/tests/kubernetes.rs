//! Properties of the manifests in `deploy` that Kubernetes' schemas do not check: their parts fit each other.

#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, fs, path::Path};

use serde_json::Value;

const PORTS: [(&str, u64); 3] = [("ws-echo", 8080), ("longpoll-server", 3000), ("sse-server", 3001)];

/// The resources of a file, by kind and name.
fn resources(file: &str) -> HashMap<(String, String), Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    let resources: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    let name = |of: &Value| of.as_str().unwrap().to_owned();
    resources
        .into_iter()
        .map(|resource| ((name(&resource["kind"]), name(&resource["metadata"]["name"])), resource))
        .collect()
}

#[test]
fn each_service_is_complete_and_its_parts_fit() {
    let resources = resources("kubernetes.yaml");
    let find = |kind: &str, name: &str| resources.get(&(kind.to_owned(), name.to_owned())).expect("it is there");
    let config = &find("ConfigMap", "push")["data"];
    for (name, port) in PORTS {
        let deployment = &find("Deployment", name)["spec"];
        let pod = &deployment["template"]["spec"];
        let container = &pod["containers"][0];
        let labels = &deployment["template"]["metadata"]["labels"];

        // Everything that selects the pods of this service selects those of no other.
        let budget = &find("PodDisruptionBudget", name)["spec"];
        let spread = &pod["topologySpreadConstraints"][0];
        for selector in [
            &deployment["selector"]["matchLabels"],
            &budget["selector"]["matchLabels"],
            &spread["labelSelector"]["matchLabels"],
            &find("Service", name)["spec"]["selector"],
        ] {
            assert_eq!(selector["app.kubernetes.io/name"], name);
            assert!(selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value), "{selector}");
        }

        assert_eq!(container["ports"][0]["containerPort"], port);
        assert_eq!(find("Service", name)["spec"]["ports"][0]["port"], port);
        assert_eq!(find("Service", name)["spec"]["ports"][0]["targetPort"], container["ports"][0]["name"]);
        check_container(container, config, pod);
    }
}

#[test]
fn on_one_node_the_three_share_a_volume() {
    let resources = resources("kubernetes-one-node.yaml");
    let find = |kind: &str, name: &str| resources.get(&(kind.to_owned(), name.to_owned())).expect("it is there");
    let config = &find("ConfigMap", "push")["data"];
    let deployment = &find("Deployment", "push")["spec"];
    let pod = &deployment["template"]["spec"];
    let labels = &deployment["template"]["metadata"]["labels"];

    // A volume that one node may mount, and a new pod beside the old one on that node.
    assert_eq!(deployment["replicas"], 1);
    let claim = &pod["volumes"][0]["persistentVolumeClaim"]["claimName"];
    assert_eq!(find("PersistentVolumeClaim", claim.as_str().unwrap())["spec"]["accessModes"][0], "ReadWriteOnce");
    let affinity = &pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(affinity["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsGroup"]);
    for selector in [&deployment["selector"], &affinity["labelSelector"]] {
        assert_eq!(selector["matchLabels"]["app.kubernetes.io/name"], labels["app.kubernetes.io/name"]);
    }

    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), PORTS.len());
    for ((name, port), container) in PORTS.into_iter().zip(containers) {
        assert_eq!(container["name"], name);
        assert_eq!(container["ports"][0]["containerPort"], port);
        let service = &find("Service", name)["spec"];
        assert_eq!(service["selector"]["app.kubernetes.io/name"], labels["app.kubernetes.io/name"]);
        assert_eq!(service["ports"][0]["port"], port);
        assert_eq!(service["ports"][0]["targetPort"], container["ports"][0]["name"]);
        assert_eq!(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"]);
        assert_eq!(container["volumeMounts"][0]["mountPath"], config["PUSH_DATA"]);
        check_container(container, config, pod);
    }
}

/// Checks what a container of a service has in any pod.
fn check_container(container: &Value, config: &Value, pod: &Value) {
    for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
    }
    assert_eq!(container["envFrom"][0]["configMapRef"]["name"], "push");
    let drain = config["PUSH_DRAIN"].as_str().and_then(|drain| drain.strip_suffix('s')?.parse::<u64>().ok()).unwrap();
    let asleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let patience = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(patience > asleep + drain, "{} is killed while it drains", container["name"]);
}
