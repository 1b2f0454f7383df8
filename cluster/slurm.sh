# Starts a Ray of this job's own with srun. The head and the driver run on the first node.
set -u

# The address at which other nodes reach this node.
address() {
    local found
    if [[ -n $interface ]]; then
        found=$(ip -4 -oneline address show dev "$interface" | awk '{sub("/.*", "", $4); print $4}')
    else
        found=$(scontrol show --oneliner node "$SLURMD_NODENAME" | grep -o 'NodeAddr=[^ ]*')
        found=$(getent ahostsv4 "${found#*=}" | awk 'NR == 1 {print $1}')
        # Debian's /etc/hosts gives a machine this address, which no other machine reaches.
        [[ $found == 127.0.1.1 ]] && found=$(hostname -I | awk '{print $1}')
    fi
    echo "$found"
}

listening() { (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null; }

# Runs on every node. The folder's path is short, for a socket's path has 107 characters at most.
ray_node() {
    local options
    folder=$(mktemp -d "/tmp/teasel-$SLURM_JOB_ID-XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    trap : TERM # Ray gets the signal too, and ends first.
    options=(
        --temp-dir "$folder" --node-ip-address "$(address)" --dashboard-agent-listen-port 0
        --num-cpus "$SLURM_CPUS_ON_NODE" --num-gpus "${SLURM_GPUS_ON_NODE:-0}"
        --object-store-memory 134217728 --include-log-monitor false
        --disable-usage-stats --log-color false --block
    )
    if ((SLURM_NODEID == 0)); then
        options+=(--head --port "$port" --ray-client-server-port $((port + 1)))
        options+=(--include-dashboard false --dashboard-port $((port + 2)))
    else
        until listening || ((SECONDS > 300)); do sleep 1; done
        options+=(--address "$head:$port")
    fi
    ${container[@]+"${container[@]}"} ray start "${options[@]}"
}

head=$(address)
if [[ -z $head ]]; then
    echo "teasel: no IPv4 address of ${interface:-$SLURMD_NODENAME}" >&2
    exit 1
fi
port=$((20000 + SLURM_JOB_ID % 4000 * 3))
while listening; do port=$((port + 3)); done

# Only the environment of this job's processes contains the token.
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN interface head port
# Ray need not wait when it is asked to end: nothing runs then.
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0

# If Ray ends on one node, the other nodes continue. If a node is lost, Slurm puts the whole job back
# into the queue. With --no-kill it would keep the job even after the node of this script is lost.
srun --export=ALL --kill-on-bad-exit=0 --cpu-bind=none \
    --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    bash -c "$(declare -p container); $(declare -f address listening ray_node); ray_node" &
ray=$!
drive() {
    until listening; do sleep 1; done
    exec ${container[@]+"${container[@]}"} "${study[@]}" --address "$head:$port"
}
drive &
driver=$!
# The driver gets one warning only: at the second one it would stop without saving.
trap 'warned=yes; kill -TERM "$driver" 2>/dev/null; trap : TERM' TERM
[[ -n $warned ]] && kill -TERM "$driver"
while kill -0 "$driver" 2>/dev/null && kill -0 "$ray" 2>/dev/null; do
    sleep 1 &
    wait $! # A warning interrupts this, but not a sleep in the foreground.
done
kill -KILL "$driver" 2>/dev/null
wait "$driver"
code=$?
# The driver ends with 1 or 3 if it has lost Ray's head, and with 137 if it was killed above.
if ((code == 1 || code == 3 || code == 137)) && [[ -z $warned ]] && ! listening; then
    echo "teasel: Ray has ended before the study" >&2
    # In the first ten minutes nothing is saved yet, and the same would probably happen again.
    code=$((SECONDS > 600 ? 3 : 1))
fi

# The last job of an array has the number of the array, so each is named by array and task.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-$SLURM_JOB_ID}

# Asks Ray to end on all nodes. If srun were killed at once, Ray would have no time for that.
scancel --quiet --signal=TERM "$job"
timeout 20 tail --pid="$ray" --follow /dev/null
kill "$ray" 2>/dev/null
wait "$ray"

# The run was interrupted and has work left (3), or was ended before it could say so (143). A job that
# somebody has cancelled is not RUNNING, and does not go back.
if ((code == 3 || code == 143)) && [[ $(squeue --noheader --jobs "$job" --format %T) == RUNNING ]]; then
    echo "teasel: back into the queue"
    scontrol requeue "$job"
fi
exit "$code"
