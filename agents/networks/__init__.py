"""Neural networks of the PPO agents, and parts that the MAML agents use as well. In reading order:

- actor_critic.py: `ActorCritic`, policy and value heads over an observation and a memory.
- encoders.py: `ConvEncoder`, from planes or pixels to a feature vector.
- recurrent.py: `Recurrent`, a GRU or LSTM memory, over whole sequences and one step at a time.
- gru.py: the GRU on CPU, with its forward and backward passes written out.
- gru_loops.c: the part of a GRU that is sequential in time, in C; gru.py has the same in torch operations.
- associative.py: `Associative`, a memory of sums of key-value products.
- tanh.py: `Tanh`, faster than torch.tanh on CPU.
- normalization.py: `RunningNorm`, running means and variances of inputs.
"""
